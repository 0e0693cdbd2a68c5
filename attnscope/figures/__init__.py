"""Drawing: one figure spec, drawn by plotly or matplotlib, with a caption that says what was done."""
