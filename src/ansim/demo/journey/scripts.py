"""What the researcher runs in the closed room: one honest analysis with a plot, and the files that must not leave."""

ANALYSIS = '''"""Chronic sinusitis by age and sex among linked people."""
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

people = pd.read_parquet("/data/frame.parquet")
print(len(people), "linked people,", int(people.chronic_sinusitis.sum()), "with chronic sinusitis")
table = people.groupby(["age_band", "sex"]).person_id.nunique().rename("n").reset_index()
table.to_csv("/out/table.csv", index=False)

shown = people.assign(band=pd.cut(people.age, [0, 30, 60, 90], right=False, labels=["0-29", "30-59", "60-89"]))
counted = shown.groupby(["band", "sex"], observed=True).chronic_sinusitis.agg(["sum", "count"])
share = (counted["sum"] / counted["count"]).where(counted["sum"].between(10, counted["count"] - 10)).round(1)
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
share.unstack().plot.bar(ax=axes, color=["#0b2f7a", "#a9c4fb"], edgecolor="#1e2124")
axes.set(xlabel="Age", ylabel="Share with chronic sinusitis", title="Chronic sinusitis by age and sex", ylim=(0, 1))
figure.savefig("/out/figure.png", dpi=110, metadata={"Software": None})
'''

PLANTED = '''"""Files that look harmless and are not."""
import pandas as pd

people = pd.read_parquet("/data/frame.parquet")
by_band = people.groupby(["age_band", "sex"]).person_id.nunique().rename("n").reset_index()
by_band.to_csv("/out/small.csv", index=False)

# Twelve rows of one person: whoever counts rows sees a safe 12.
keys = ["age", "sex", "naproxen_before", "amoxiclav_before"]
alone = people.groupby(keys).filter(lambda group: len(group) == 1).head(1)
rows = pd.concat([alone] * 12)
rows.groupby(keys).size().rename("n").reset_index().to_csv("/out/twelve.csv", index=False)

people.to_csv("/out/rows.csv", index=False)

# The released table again, without the few who took naproxen.
rest = people[~people.naproxen_before]
again = rest.groupby(["age_band", "sex"]).person_id.nunique().rename("n").reset_index()
again.n = (again.n / 5).round().astype(int) * 5  # rounded as the rules ask, and still too much
again[again.n >= 10].to_csv("/out/differs.csv", index=False)
print(len(people) - len(rest), "people differ")
'''

NETWORK = '''"""A script that tries to call home."""
import socket

try:
    socket.create_connection(("127.0.0.1", 8600), timeout=2)
    print("CONNECTED")
except OSError as error:
    print("no network:", type(error).__name__)
'''
