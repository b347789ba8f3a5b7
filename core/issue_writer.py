"""Has a model write issues: the one thing in making tasks that may call one, and it does so through the gateway."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from core.gateway.gateway import Gateway, GatewaySettings, ModelUnavailable, split_effort
from core.gateway.preflight import ProviderDown, check_models
from core.options import OFFLINE, UsageError
from evals.utils import gateway_client
from evals.utils.hire_agent import Agent

TOKENS_PER_ISSUE = 6000  # times the number of tasks: what may be spent
PROMPT = """\
You rewrite bug reports for a Python library. Write as a user of the library would who met the trouble and knows \
nothing of the code behind it. Keep every call, value and error message exactly as given. Do not guess at the cause, \
do not propose a fix, do not name files, tests or internal functions, and invent nothing. Plain text, a title line \
first. Answer with the report alone."""


@contextlib.asynccontextmanager
async def issue_writer(
    model: str, tasks: int, folder: Path, say: Callable[[str], None]
) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """A function from the text of an issue to the model's.

    Args:
        tasks: how many issues; bounds what may be spent.
        folder: for the ledger of the calls.

    Raises:
        UsageError: the model cannot be used.
    """
    if split_effort(model)[0] == OFFLINE:
        raise UsageError(
            "--model offline: the embedded model writes no prose; without --model a template does it"
        )
    settings = GatewaySettings.from_environment(model, max_tokens=TOKENS_PER_ISSUE * tasks)
    try:
        await check_models(settings, [model], say)
    except (ModelUnavailable, ProviderDown) as error:
        raise UsageError(str(error)) from error
    folder.mkdir(parents=True)
    gateway = Gateway(folder, settings, say)
    await gateway.start()
    try:
        gateway_client.connect(gateway.socket_path, gateway.issue_token({"design": "issues"}))

        async def rewrite(text: str) -> str:
            gateway_client.call_purpose.set("generate")
            return await Agent(PROMPT, model=model).ask(text)

        yield rewrite
        await gateway_client.close()
    finally:
        await gateway.stop()
