import pytest
from small_instance import ENVIRONMENTS, make_repository, make_row

from evals.utils.sandbox import probe


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with the repository and the environments file; the commit with the bug."""
    folder = tmp_path_factory.mktemp("swebench")
    commit = make_repository(folder)
    (folder / "environments.yaml").write_text(ENVIRONMENTS)
    return folder, commit


@pytest.fixture(scope="session")
def row(place):
    return make_row(place[1])


@pytest.fixture(scope="session", autouse=True)
def environments_home(tmp_path_factory):
    """No test touches the user's own environments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALMA_ENVIRONMENTS", str(tmp_path_factory.mktemp("environments")))
        yield


@pytest.fixture(scope="session")
def best_kind():
    return probe("auto")
