"""The marker with which a plugin's hook functions are found."""

import pluggy

hookimpl = pluggy.HookimplMarker("camforge")
