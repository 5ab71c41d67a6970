# timeline.gp - replication 0 over simulated time: four panels on one axis.
load scripts.'style.gp'
set lmargin at screen 0.13
set rmargin at screen 0.97
set multiplot
set key at screen 0.55, 0.978 center horizontal maxcols key_columns(longest_group, 540)
set format x ''
set xlabel ''

set tmargin at screen 0.950; set bmargin at screen 0.760
set ylabel 'offered requests/s'
col = 2
load scripts.'panel_time.gp'

unset key
set tmargin at screen 0.730; set bmargin at screen 0.545
set ylabel 'waiting requests'
col = 3
load scripts.'panel_time.gp'

set key at graph 0.5, 1.14 center horizontal maxcols 2
set tmargin at screen 0.490; set bmargin at screen 0.305
set ylabel 'replicas'
load scripts.'panel_replicas.gp'

unset key
set tmargin at screen 0.285; set bmargin at screen 0.085
set format x '%g'
set ylabel 'utilization'
set xlabel 'simulated time / '.time_unit
col = 6
load scripts.'panel_time.gp'
unset multiplot
