"""The figures of this project, compared with other releases and with the bare transports.

``python -m benchmarks`` measures every line and prints a Markdown table. ``python -m benchmarks cpu
limited`` measures only some lines, ``--list`` names them, and ``--quick`` takes small sizes. It needs
Python 3.10 or newer on Linux or macOS, and the package index for the first run.

Method
------
Every subject has its own virtual environment. Subjects are this project, installed from the working
tree as a user would do it; releases 5.4.4 and 6.8.2 from the package index; and urllib3, http.client,
json and pandas alone, which show the limit. The environments are kept in ``.benchmarks``.

Each measurement is a fresh process. Subjects take turns (A B C A B C). So if the machine gets slower,
it does so for all of them. The table shows medians; for what must never happen, such as a lost
request, it shows the worst run. Figures in brackets are multiples of this project's figure in the
same run. They also hold on other machines; absolute figures do not. Whether a target is met is only
said for the declared sizes.

Fairness
--------
The service is another process on loopback, which speaks HTTP/1.1 over TLS and does almost nothing.
The same lines of code call this project and the releases, through their public API. The code of the
releases is neither read nor changed. If 6.8.2 has a second way, it is measured, too. Every subject
sends to the real host names, which its process resolves to loopback, and trusts the authority that
signed their certificate. All environments have the same settings. Nothing leaves the machine.

Lines are declared in lines.py. Each is measured by a function in workers/measurements.py. No figure
makes the command fail.
"""
