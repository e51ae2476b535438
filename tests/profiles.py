"""How long hypothesis looks: `fast` in every run, `ci` and `deep` with `--hypothesis-profile`.

`fast` and `ci` draw the same examples in every run, so a change that fails here fails everywhere;
`deep` draws new ones and prints what replays a failure.
"""

from hypothesis import HealthCheck, settings

_SAME_EVERY_TIME = settings(
    stateful_step_count=10,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)

settings.register_profile("fast", _SAME_EVERY_TIME, max_examples=120)
settings.register_profile("ci", _SAME_EVERY_TIME, max_examples=400)
settings.register_profile(
    "deep",
    max_examples=20_000,
    stateful_step_count=15,
    print_blob=True,
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)
if settings.get_current_profile_name() not in {"ci", "deep"}:
    settings.load_profile("fast")
