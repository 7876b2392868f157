"""What a store can be: a directory, or a bucket that speaks S3."""
