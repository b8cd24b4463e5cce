"""How results, groupings, maps and experiments show themselves in a notebook.

Their own methods (``_repr_html_``, ``plot``, ``save``) come here when they are asked, and not before: nobody who shows
nothing waits for an image library. ``show`` is for the tensors that ``camforge.explain`` returns.
"""

from camforge.notebook.pictures import Drawing, Picture, show

__all__ = ["Drawing", "Picture", "show"]
