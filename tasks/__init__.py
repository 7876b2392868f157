"""Tasks run the story: Prefect's side of each verb, with its name, retries and artifacts."""
