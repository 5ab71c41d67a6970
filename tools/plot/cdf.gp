# cdf.gp - the latency distribution, one picture.
load scripts.'style.gp'
key_n = curves; key_m = longest_curve; key_x = 300; key_w = 430
rows = key_rows(key_n, key_m, key_w)
key_y = canvas_h - 11 - 18 * rows
set lmargin at screen px(116); set rmargin at screen px(500)
set tmargin at screen py(32 + 17 * target_rows); set bmargin at screen py(canvas_h - 70 - 18 * rows)
side = px(14)
side_font = ',12'
if (curves_left_out > 0) { set label 60 left_out_text(curves_left_out, 'curves') at screen px(8), py(canvas_h - 7) left font ',9' textcolor rgb grey }
load scripts.'panel_cdf.gp'
