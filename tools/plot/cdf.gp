# cdf.gp - the latency distribution, one picture.
load scripts.'style.gp'
columns = key_columns(longest_curve, 520)
set lmargin at screen 0.17; set rmargin at screen 0.965; set tmargin at screen 0.91
set bmargin at screen 0.175 + 0.045 * key_rows(curves, columns)
set key at screen 0.57, 0.015 + 0.045 * key_rows(curves, columns) center top horizontal maxcols columns
side = 0.018
load scripts.'panel_cdf.gp'
