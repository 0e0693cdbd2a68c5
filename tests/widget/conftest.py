"""Captures of odd, all-different sizes, made without a model; and a front-end, built or not."""

import pytest
from widget.synthetic import recording

from attnscope.maps.capture import Capture


@pytest.fixture
def cap() -> Capture:
    return Capture(recording())


@pytest.fixture
def cap_images() -> Capture:
    return Capture(recording(images=3))


@pytest.fixture
def cap_gap() -> Capture:
    """A capture whose layer up.1.0 was not seen at step 4."""
    made = recording()
    made.stores[0].array[1, :, 1] = float("nan")
    return Capture(made)


@pytest.fixture(autouse=True)
def front_end(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Stand in for the built front-end: these tests are about the kernel's side."""
    from attnscope.widget import html
    from attnscope.widget.scope import Scope

    static = tmp_path_factory.mktemp("static")
    (static / "standalone.js").write_text("console.log('</script><!--');")
    (static / "widget.css").write_text(".attnscope { color: red; }")
    monkeypatch.setattr(html, "_STATIC", static)
    monkeypatch.setattr(Scope, "_esm", "export default { render() {} }")
