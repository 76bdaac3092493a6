"""What the polynomial learning rate of SSDGL and RSSGL demands of a configuration."""

from typing import Any, Dict

from shared_data.errors import SettingsError


def check_length(config: Dict[str, Any], file: str) -> None:
    """Training ends before the learning rate is zero. file: the configuration's name, for messages.

    Raises: SettingsError for more steps than that.
    """
    steps, rate = config["train"]["num_iters"], config["learning_rate"]["params"]
    if rate["power"] and steps > rate["max_iters"]:  # with the power 0 the rate is constant
        raise SettingsError(
            "%s: train.num_iters: expected at most %d, because the learning rate is 0 after "
            "learning_rate.params.max_iters steps, found %d; lower it (--iters, ITERS) or raise "
            "learning_rate.params.max_iters." % (file, rate["max_iters"], steps)
        )
