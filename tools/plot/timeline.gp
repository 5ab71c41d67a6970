# timeline.gp - replication 0 over simulated time: four panels on one axis.
load scripts.'style.gp'
key_x = 294; key_w = 440
head = 14 + 18 * key_rows(groups, longest_group, key_w)
middle = 20 + 18 * key_rows(shown_entries, longest_group + 9, key_w)
height = (canvas_h - head - middle - 2 * 20 - 62) / 4.0
side = px(14)
side_font = height < 120 ? ',9' : ',11'
set lmargin at screen px(84)
set rmargin at screen px(504)
set multiplot
set format x ''
set xlabel ''

y = head
keyed = 1; key_n = groups; key_m = longest_group; key_y = 4
set tmargin at screen py(y); set bmargin at screen py(y + height)
y_name = 'offered per '.rate_unit
col = 2
load scripts.'panel_time.gp'

keyed = 0
y = y + height + 20
set tmargin at screen py(y); set bmargin at screen py(y + height)
y_name = height < 120 ? 'waiting' : 'waiting requests'
col = 3
load scripts.'panel_time.gp'

y = y + height
key_n = shown_entries; key_m = longest_group + 9; key_y = y + 10
y = y + middle
set tmargin at screen py(y); set bmargin at screen py(y + height)
load scripts.'panel_replicas.gp'

y = y + height + 20
set tmargin at screen py(y); set bmargin at screen py(y + height)
set format x '%g'
y_name = 'utilization'
set xlabel 'simulated time / '.time_unit font ',12' offset 0, 0.3
col = 6
if (groups_left_out > 0) { set label 60 left_out_text(groups_left_out, 'stations') at screen px(8), py(canvas_h - 8) left font ',9' textcolor rgb grey }
load scripts.'panel_time.gp'
unset multiplot
