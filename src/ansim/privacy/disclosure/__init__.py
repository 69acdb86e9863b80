"""Disclosure control: every released number counts distinct people and is compared with what was released before.

tabulate (table) -> protect (rules, secondary, memory) -> Released; pooled tables: protect_counts. Feasibility counts:
answer (feasibility) within a Budget. Output files without known people: check_file (files), never more than "human".
"""
