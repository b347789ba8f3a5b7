"""What runs side by side ends with the wait for it: after a fault nothing goes on in the background."""

import asyncio

import pytest

from core.together import of_shared, together


async def piece(number, ended, fails=False):
    try:
        await asyncio.sleep(0.01 * number)
        if fails:
            raise ValueError(number)
        return number
    finally:
        await asyncio.sleep(0.02)  # as an evaluation whose subprocess is ended
        ended.append(number)


def test_results_come_in_order():
    ended = []
    assert asyncio.run(together(piece(number, ended) for number in (3, 1, 2))) == [3, 1, 2]
    assert ended == [1, 2, 3]


def test_after_a_fault_all_have_ended_before_it_is_raised():
    async def main(ended):
        with pytest.raises(ValueError, match="2"):
            await together(piece(number, ended, fails=number == 2) for number in (1, 2, 500))
        return sorted(ended)

    assert asyncio.run(main([])) == [1, 2, 500]


def test_a_cancelled_wait_ends_all_before_it_returns():
    async def main(ended):
        waiting = asyncio.ensure_future(together(piece(number, ended) for number in (400, 500)))
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return sorted(ended)

    assert asyncio.run(main([])) == [400, 500]


def test_a_cancelled_wait_for_a_shared_piece_ends_it_before_it_returns():
    async def main(ended):
        shared = asyncio.ensure_future(piece(400, ended))
        waiting = [asyncio.ensure_future(of_shared(shared)) for _ in range(2)]
        await asyncio.sleep(0.02)
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        return ended, shared.cancelled()

    assert asyncio.run(main([])) == ([400], True)
    assert asyncio.run(of_shared_result()) == [1, 1]


async def of_shared_result():
    shared = asyncio.ensure_future(piece(1, []))
    return await asyncio.gather(of_shared(shared), of_shared(shared))
