"""A notebook on a page of JupyterLab or Notebook 7, which share their program."""

import nbformat

ERROR = '[data-mime-type="application/vnd.jupyter.error"]'
STDERR = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]'


def new(*cells):
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )


def write(path, *cells):
    nbformat.write(new(*cells), path)


class NotebookPage:
    """Drives the notebook that a page shows."""

    def __init__(self, page):
        self.page = page
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        # A command given earlier would ask which kernel to take.
        page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
        # Another tab may have come to the front by the time that one asks.
        page.evaluate("window.notebook_panel = window.jupyterapp.shell.currentWidget")
        self.wait_for_kernel()

    def command(self, name, arguments=None):
        """Start a command; what it does is waited for by what it shows."""
        self.page.evaluate(
            "([name, args]) => void window.jupyterapp.commands.execute(name, args)", [name, arguments or {}]
        )

    def run_all(self):
        self.command("notebook:run-all-cells")

    def wait_for_kernel(self):
        self.page.wait_for_function("window.notebook_panel.sessionContext.session?.kernel?.status === 'idle'")

    def wait_for_cells(self):
        """Wait until every cell has run, and none of them failed."""
        self.page.wait_for_function(
            """error => document.querySelector(error) || [...window.notebook_panel.content.model.cells].every(
                (cell) => cell.type !== "code" || !cell.sharedModel.getSource() || cell.executionCount !== null
            )""",
            arg=ERROR,
        )
        assert not self.page.locator(ERROR).all_inner_texts()

    def shut_down(self):
        """End the kernel: those of closed pages would stay, each with a model or two in memory."""
        self.page.evaluate("window.notebook_panel.sessionContext.shutdown()")

    def cell_count(self):
        return self.page.evaluate("window.notebook_panel.content.model.cells.length")

    def run(self, source):
        """Run a line in the kernel, as another cell would, and return what it prints."""
        return self.page.evaluate(
            """async (code) => {
                const { kernel } = window.notebook_panel.sessionContext.session;
                const future = kernel.requestExecute({ code, store_history: false });
                let out = "";
                future.onIOPub = ({ header, content }) => {
                    if (header.msg_type === "stream") out += content.text;
                    if (header.msg_type === "error") out += content.evalue;
                };
                await future.done;
                return out.trim();
            }""",
            source,
        )

    def errors_said(self):
        said = self.page.locator(STDERR).all_inner_texts()
        return [text for text in said if "Traceback" in text or "Error" in text]
