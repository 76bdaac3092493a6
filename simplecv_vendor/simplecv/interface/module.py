"""The base class of models."""

import re
from typing import Any, Dict

from torch import nn

from simplecv.core.checkpoint_file import load_model_state_dict_from_ckpt
from simplecv.interface.configurable import ConfigurableMixin
from simplecv.util.logger import get_logger

GLOBAL = "GLOBAL"


class CVModule(nn.Module, ConfigurableMixin):
    """An nn.Module built from one configuration, `self.config`.

    In training mode `forward` returns a dict; the entries whose key ends in 'loss' are minimised, the others logged.
    `config.GLOBAL.weight.path` names a file with initial weights, `config.GLOBAL.weight.excepts` a regular expression
    (or a list of them): parameters whose name matches it from the start keep their initialisation.
    """

    def __init__(self, config: Dict[str, Any]):
        nn.Module.__init__(self)
        ConfigurableMixin.__init__(self, config)
        self.unknown_config_keys = [name for name in self.unknown_config_keys if name.split(".")[0] != GLOBAL]
        if GLOBAL not in self.config:
            self.config[GLOBAL] = {}

    def init_from_weightfile(self) -> None:
        """Load the weights that the configuration names, if it names any; logs what had no counterpart.

        Raises: CheckpointError when the file cannot be read, RuntimeError when a shape differs.
        """
        weight = self.config[GLOBAL].get("weight") or {}
        path, excepts = weight.get("path"), weight.get("excepts") or []
        if path is None:
            return
        patterns = [re.compile(text) for text in ([excepts] if isinstance(excepts, str) else excepts)]
        state = load_model_state_dict_from_ckpt(path)
        kept = {name: value for name, value in state.items() if not any(p.match(name) for p in patterns)}
        outcome = self.load_state_dict(kept, strict=False)
        logger = get_logger()
        logger.info("%s: %d tensors loaded from %s", type(self).__name__, len(kept), path)
        for what, names in (("not in the file", outcome.missing_keys), ("not in the model", outcome.unexpected_keys)):
            if names:
                logger.warning("%s: %s: %s", type(self).__name__, what, ", ".join(names))
