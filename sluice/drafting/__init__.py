"""From a sample of events to a draft of a pipeline file: what was seen, what each field may be, and the text.

Pure: it is given decoded values, and what it gives out holds names of fields and counts, never a value.
"""

from sluice.drafting.documents import Documents
from sluice.drafting.fields import Field, Learned, learn
from sluice.drafting.guess import Draft, draft
from sluice.drafting.text import Wanted, text_of

__all__ = ["Documents", "Draft", "Field", "Learned", "Wanted", "draft", "learn", "text_of"]
