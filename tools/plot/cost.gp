# cost.gp - cost by component, one picture.
load scripts.'style.gp'
set title scenario.": total ".cost_total."\n".cost_per_1000.' per 1000 completed requests' font ',11'
set rmargin 3
load scripts.'panel_cost.gp'
