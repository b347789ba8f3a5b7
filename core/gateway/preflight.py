"""Before a run: can its models be reached? Asked once, free of charge, so that a wrong key costs no time."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from core.gateway.codex_provider import PREFIX as CODEX
from core.gateway.gateway import GatewaySettings, ModelUnavailable, split_effort
from core.gateway.offline_provider import MODEL as OFFLINE
from core.gateway.openai_provider import API, OpenAIProvider
from core.gateway.provider import ProviderError
from core.gateway.retrying import Retries

TRIES, TIMEOUT_S = 5, 20.0


class ProviderDown(Exception):
    """The server that is to serve the models does not answer. One line; nothing has been written."""


async def check_models(
    settings: GatewaySettings, models: Iterable[str], on_notice: Callable[[str], None]
) -> None:
    """Ask the provider for its list of models.

    Args:
        on_notice: told when a server does not list a model that it may all the same serve.

    Raises:
        ModelUnavailable: the key is refused, or the OpenAI API does not have a model.
        ProviderDown: nobody answers.
    """
    for model in models:
        settings.check_model(model)
    asked = {split_effort(model)[0] for model in models}
    named = sorted(name for name in asked if name != OFFLINE and not name.startswith(CODEX))
    if settings.offline or not named:
        return
    where = settings.base_url or API
    provider = OpenAIProvider(
        settings.api_key, settings.base_url, concurrency=1, retries=Retries(TRIES, 0.3), timeout_s=TIMEOUT_S
    )
    await provider.start()
    try:
        listed = await provider.models()
    except ProviderError as error:
        if error.status in (401, 403):
            raise ModelUnavailable(f"{where} refuses the key in OPENAI_API_KEY: {error}") from error
        if error.code == "infra":
            raise ProviderDown(f"{where} does not answer: {error}") from error
        return  # a server without such a list
    finally:
        await provider.close()
    for name in named:
        # A server of one's own may add a tag to a name (Ollama's ":latest") or serve any name at all.
        if not listed or name in listed or any(known.startswith(f"{name}:") for known in listed):
            continue
        near = difflib.get_close_matches(name, listed, n=3, cutoff=0.5) or sorted(listed)[:3]
        hint = f"model {name} is not known at {where}; it has, for example, {', '.join(near)}"
        if where == API:
            raise ModelUnavailable(hint)
        on_notice(f"{hint}; trying it all the same")
