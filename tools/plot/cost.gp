# cost.gp - cost by component, one picture.
load scripts.'style.gp'
set label 60 scenario at screen 0.5, py(20) center font ',11'
set label 61 'total '.cost_total.'; '.cost_per_1000.' per 1000 completed' at screen 0.5, py(40) center font ',10' textcolor rgb grey
set lmargin at screen px(88); set rmargin at screen px(450)
set tmargin at screen py(60); set bmargin at screen py(308)
side = px(14)
side_font = ',12'
load scripts.'panel_cost.gp'
