"""Rooms are used again for other tasks, emptied, and never lent twice for the same one."""

import asyncio

from envs_archive.coding.grading_rooms import IDLE, GradingRooms
from envs_archive.coding.workspace import list_files
from evals.utils.sandbox import Limits


def in_rooms(kind, use):
    async def run():
        rooms = GradingRooms(kind, Limits(wall_s=20))
        try:
            return await use(rooms)
        finally:
            await rooms.close()

    return asyncio.run(run())


def test_a_room_serves_another_task_and_nothing_of_the_first_is_left(kind, base):
    leave = "mkdir -p deep/er && touch deep/er/x /tmp/x && chmod 0 deep/er deep && ls -A /tmp"
    look = "find . | sort; ls -A /tmp; ls -A ~"

    async def use(rooms):
        async with rooms.room("a", base) as first:
            left = await first.run(leave)
        async with rooms.room("b", base) as second:
            seen = await second.run(look)
        return first is second, left, seen

    same, left, seen = in_rooms(kind, use)
    assert same
    assert {"home", "x"} <= set(left.output.split())
    # What is mounted below /tmp stays: a checkout there, say.
    assert set(list_files(base)) <= {name.removeprefix("./") for name in seen.output.split()}
    assert "home" in seen.output and not {"x", "./deep"} & set(seen.output.split())


def test_shared_memory_files_are_removed_too(best_kind, base):
    async def use(rooms):
        async with rooms.room("a", base) as first:
            await first.run("touch /dev/shm/kept")
        async with rooms.room("b", base) as second:
            return await second.run("ls -A /dev/shm")

    if best_kind.kind == "bwrap":
        assert in_rooms(best_kind, use).output == ""


def test_a_room_is_never_lent_twice_for_the_same_task(best_kind, base):
    async def use(rooms):
        seen = []
        for _ in range(3):
            async with rooms.room("a", base) as session:
                seen.append(session)
        return seen

    assert len(set(map(id, in_rooms(best_kind, use)))) == 3


def test_rooms_in_use_are_not_shared_and_few_stay_open(best_kind, base):
    async def use(rooms):
        async def one(task):
            async with rooms.room(task, base) as session:
                await session.run("sleep 0.3")
                return session, session.workspace

        done = await asyncio.gather(*(one(f"t{i}") for i in range(IDLE + 2)))
        await asyncio.sleep(0.5)
        return len({id(session) for session, _ in done}), sum(path.exists() for _, path in done)

    assert in_rooms(best_kind, use) == (IDLE + 2, IDLE)


def test_a_room_whose_grading_failed_is_not_used_again(best_kind, base):
    async def use(rooms):
        try:
            async with rooms.room("a", base) as first:
                raise OSError("disk full")
        except OSError:
            pass
        async with rooms.room("b", base) as second:
            return first is second, first.workspace.exists()

    assert in_rooms(best_kind, use) == (False, False)


def test_rooms_opened_ahead_are_the_ones_that_are_lent(best_kind, base):
    async def use(rooms):
        rooms.warm()
        async with rooms.room("a", base) as first, rooms.room("b", base) as second:
            return sum(session.started for session in (first, second))

    assert in_rooms(best_kind, use) == IDLE


def test_rooms_can_be_closed_while_they_are_being_opened(best_kind, base):
    async def use(rooms):
        rooms.warm()
        await asyncio.sleep(0.01)

    in_rooms(best_kind, use)
