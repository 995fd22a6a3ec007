"""The figures of this project, measured beside other releases and beside the bare transports.

``python -m benchmarks`` measures every line and prints a Markdown table; ``python -m benchmarks cpu
limited`` measures single ones, ``--list`` names them, and ``--quick`` takes small sizes. It needs
Python 3.10 or newer on Linux or macOS, the package index for the first run, and nothing else.

Method
------
Every subject lives in a virtual environment of its own: this project, installed from the working
tree as a user would; releases 5.4.4 and 6.8.2 of the package index; and urllib3, http.client, json
and pandas bare, as the limit. The environments are kept in ``.benchmarks``.

Each measurement is a fresh process. Subjects take turns (A B C A B C), so that a machine that gets
slower does so for all of them. The table shows medians; of what must not happen at all, such as a
lost request, it shows the worst. Figures in brackets are multiples of this project's figure in the
same run: they hold on other machines, absolute figures do not. Whether a target is met is told for
the declared sizes only.

Fairness
--------
The far end is another process on loopback, which speaks HTTP/1.1 over TLS and does next to nothing.
Releases are called through their public API alone, by the same lines of code as this project; their
code is neither read nor changed. Where 6.8.2 offers a second way, it is measured too. Every subject sends to the real host names, which its process
resolves to loopback, and trusts the one certificate authority that signed for them: the environment
of this project holds no setting that another's lacks. Nothing leaves the machine.

Lines are declared in lines.py; what each of them measures is a function in workers/measurements.py.
No result passes or fails anything.
"""
