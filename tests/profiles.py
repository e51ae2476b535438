"""How long hypothesis looks: `fast` in every run, `deep` with `--hypothesis-profile deep`.

`fast` draws the same examples in every run, so a change that fails here fails everywhere; `deep`
draws new ones and prints what replays a failure.
"""

from hypothesis import HealthCheck, settings

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "fast",
    max_examples=300,
    stateful_step_count=10,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.register_profile(
    "deep",
    max_examples=20_000,
    stateful_step_count=15,
    print_blob=True,
    deadline=None,
    suppress_health_check=_SLOW_IS_FINE,
)
if settings.get_current_profile_name() != "deep":
    settings.load_profile("fast")
