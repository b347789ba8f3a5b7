"""The report in a real browser: no request leaves it, keys work it, a phone shows it, and nothing acts in it."""

import asyncio
import json

import pytest

from core.report.html.page import load_report, write_page
from core.report.html.safe import visible
from tests.report.browser import PROGRAM, browser
from tests.report.made_up import make_evolution, make_run, priced_records
from tests.report.test_page import HOSTILE, hostile_run

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here")

LISTED = "document.querySelectorAll('#list tbody tr').length"


def written(folder):
    return write_page(load_report(folder), folder)


def visit(path, *visits, **window):
    """Open the page and make the visits in one browser; nothing may be asked for, or complained of."""

    async def go():
        async with browser() as tab:
            await tab.open(path, **window)
            for each in visits:
                await each(tab)
            assert tab.requests == [path.as_uri()]
            assert tab.problems == []

    asyncio.run(go())


async def open_design(tab, number):
    await tab.run(f"document.querySelector('[data-design=\"{number}\"]').click()")
    await tab.until("document.activeElement.id === 'design'")


async def open_episode(tab, number=0):
    await tab.until(LISTED)
    await tab.run(f"document.querySelectorAll('#list tbody button')[{number}].click()")
    await tab.until("document.activeElement.id === 'episode'")


def test_a_hostile_run_is_shown_word_for_word_and_does_nothing(tmp_path):
    path = written(hostile_run(tmp_path / "run"))

    async def look(tab):
        for number in range(4):
            await open_design(tab, number)
        await open_episode(tab)
        await tab.run("for (const step of document.querySelectorAll('.steplist details')) step.open = true")
        shown = await tab.run("document.getElementById('episode').textContent")
        assert shown.count(visible(HOSTILE)) >= 5
        await tab.run("for (const b of document.querySelectorAll('.steplist button')) b.click()")
        longest = "Math.max(...[...document.querySelectorAll('pre')].map((pre) => pre.textContent.length))"
        assert await tab.run(longest) == 1_000_000
        assert await tab.run("window.hacked") is None
        assert (
            await tab.run("document.querySelectorAll('img, iframe, object, main script:not([type])').length")
            == 0
        )

    async def resists(tab):
        forbidden = (
            "(() => { try { document.body.innerHTML = '<p>'; return false } catch { return true } })()"
        )
        assert await tab.run(forbidden)
        await tab.until("true")  # what was complained of comes before this answer
        assert "TrustedHTML" in tab.problems.pop()

    visit(path, look, resists)


def test_everything_can_be_reached_and_opened_with_the_keyboard(tmp_path):
    path = written(make_evolution(tmp_path / "run"))

    async def tree(tab):
        await tab.press("Tab")
        assert await tab.run("document.activeElement.className") == "skip"
        await tab.run("document.querySelector('.tree [tabindex=\"0\"]').focus()")
        for key in ("End", "ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "ArrowDown"):
            await tab.press(key)
        assert await tab.run("document.activeElement.dataset.design") == "3"
        await tab.press("Enter")
        await tab.until("document.activeElement.id === 'design'")
        shown = await tab.run("document.activeElement.textContent")
        assert all(
            text in shown for text in ("Why it failed", "too long", "raise the limit", "Change to aaaaaaa1")
        )
        assert await tab.run("document.querySelectorAll('#design pre .plus, #design pre .minus').length") == 4
        assert await tab.run("document.querySelectorAll('#design pre.code .k').length") >= 2
        await tab.press("Escape")
        assert await tab.run("document.activeElement.getAttribute('role')") == "treeitem"
        assert await tab.run("document.querySelectorAll('.tree [tabindex=\"0\"]').length") == 1

    async def list_of_episodes(tab):
        await tab.until(LISTED)
        await tab.run("document.querySelector('#list tbody button').focus()")
        await tab.press("ArrowDown")
        await tab.press(" ")
        await tab.until("document.activeElement.id === 'episode'")
        await tab.press("Escape")
        assert await tab.run("document.activeElement.closest('tr').rowIndex") == 2

    visit(path, tree, list_of_episodes)


def test_a_point_of_the_front_opens_its_design_and_gets_the_focus_back(tmp_path):
    path = written(make_evolution(tmp_path / "run", priced_records()))

    async def chart(tab):
        await tab.run("document.querySelector('#front svg a[data-opens=\"2\"]').focus()")
        await tab.press("Enter")
        await tab.until("document.activeElement.id === 'design'")
        assert "aaaaaaa1" in await tab.run("document.querySelector('#design h3').textContent")
        assert await tab.run("document.querySelector('[aria-selected=true]').id") == "d2"
        await tab.press("Escape")
        assert await tab.run("document.activeElement.getAttribute('data-opens')") == "2"

    async def touch(tab):
        box = await tab.run(
            "(() => { const b = document.querySelector('#front svg a .reach').getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2 + scrollY, b.width] })()"
        )
        assert box[2] >= 20
        await tab.run("document.querySelector('#front table a').click()")
        await tab.until("document.querySelector('#design h3')?.textContent === 'no_mem'")
        assert await tab.run("document.documentElement.scrollWidth <= innerWidth")

    visit(path, chart)
    visit(path, touch, width=390)


def test_the_list_is_filtered_and_comes_in_pages(tmp_path):
    def change(episode, design):
        if design == "claude_md" and episode.task.endswith("-01"):
            episode.reward, episode.resolved, episode.flags = 0.0, False, ["tests changed"]
        return episode

    path = written(make_run(tmp_path / "run", tasks=40, change=change))

    async def choose(tab, name, value):
        what = "checked" if isinstance(value, bool) else "value"
        await tab.run(
            f"(() => {{ const field = document.forms.filter.elements[{json.dumps(name)}];"
            f" field.{what} = {json.dumps(value)};"
            " field.dispatchEvent(new Event('input', { bubbles: true })); })()"
        )
        return await tab.run("document.getElementById('count').textContent")

    async def work(tab):
        await tab.until(LISTED)
        assert await tab.run(LISTED) == 50
        await tab.run("document.querySelector('[data-page=\"1\"]').click()")
        assert await tab.run(LISTED) == 30
        assert await choose(tab, "flagged", True) == "1 of 80 episodes"
        assert await choose(tab, "worse", True) == "1 of 80 episodes"
        await choose(tab, "flagged", False)
        assert await choose(tab, "design", "no_mem") == "0 of 80 episodes"
        await choose(tab, "worse", False)
        assert await choose(tab, "project", "project2") == "13 of 80 episodes"
        assert await choose(tab, "task", "project2-02") == "1 of 80 episodes"
        await open_episode(tab)
        await tab.run("document.querySelector('.beside button').click()")
        await tab.until("document.querySelector('#episode h3').textContent.includes('claude_md')")

    visit(path, work)


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_it_without_scrolling_sideways(tmp_path, dark):
    path = written(make_evolution(tmp_path / "run"))
    fits = "document.documentElement.scrollWidth <= innerWidth"

    async def look(tab):
        await tab.until(LISTED)
        assert await tab.run(fits)
        await open_design(tab, 3)
        assert await tab.run(fits)
        await open_episode(tab)
        assert await tab.run(fits)
        light = await tab.run("parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
        assert (light < 60) == dark

    visit(path, look, width=390, dark=dark)


def test_without_javascript_the_verdict_and_the_tables_are_there(tmp_path):
    path = written(make_run(tmp_path / "run", tasks=24))

    async def look(tab):
        tree = await tab.call("Accessibility.getFullAXTree")
        names = [node["name"]["value"] for node in tree["nodes"] if node.get("name", {}).get("value")]
        assert any("claude_md resolves" in name for name in names)
        assert "Scores of all designs" in names and any("shown with JavaScript" in name for name in names)
        assert not any(name == "Which episodes" for name in names)

    visit(path, look, script=False)
