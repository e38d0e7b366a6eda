#!/usr/bin/env python3
"""Draws the wiring pictures of docs/hardware.md: python3 docs/hardware/draw.py. One table per picture; what is wired where is said here and in the
table of that page."""
import pathlib

HERE = pathlib.Path(__file__).parent
FONT = "font-family=\"'Noto Sans CJK SC','Noto Sans SC','Microsoft YaHei',sans-serif\""
COLOURS = {"3V3": "#c2410c", "5V": "#b91c1c", "GND": "#111827", "I2C": "#1d4ed8", "UART": "#7c3aed", "I2S": "#0f766e", "IN": "#15803d", "OUT": "#a16207", "1W": "#be185d"}


class Picture:
    def __init__(self, width, height, title):
        self.out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" {FONT} role="img">',
            f"<title>{title}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def text(self, x, y, text, size=14, anchor="start", colour="#111827", weight="normal"):
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        self.out.append(f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">{text}</text>')

    def box(self, x, y, w, h, fill="#f8fafc", stroke="#334155"):
        self.out.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>')

    def wire(self, points, kind, label=""):
        d = " ".join(f"{x},{y}" for x, y in points)
        self.out.append(f'<polyline points="{d}" fill="none" stroke="{COLOURS[kind]}" stroke-width="2"/>')
        if label:
            x, y = points[0]
            self.text((x + points[-1][0]) / 2, y - 4, label, 11, "middle", COLOURS[kind])

    def dot(self, x, y, kind):
        self.out.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{COLOURS[kind]}"/>')

    def resistor(self, x, y, label, vertical=False):
        w, h = (14, 44) if vertical else (44, 14)
        self.out.append(f'<rect x="{x - w / 2}" y="{y - h / 2}" width="{w}" height="{h}" fill="#ffffff" stroke="#111827" stroke-width="1.5"/>')
        if vertical:
            self.text(x + 12, y + 5, label, 12)
        else:
            self.text(x, y - 12, label, 12, "middle")

    def save(self, name):
        (HERE / name).write_text("\n".join(self.out + ["</svg>"]) + "\n", encoding="utf-8")


def node():
    """Every wire of the room node. Left: what is on the I²C bus; right: everything else, one row per device."""
    p = Picture(1180, 880, "房间节点接线 Wiring of the room node")
    p.text(590, 34, "房间节点接线图  Room node: every wire", 20, "middle", weight="bold")
    p.text(590, 56, "RP2040 + W5500（W5500-EVB-Pico），网线供电  fed over the network cable", 13, "middle", "#475569")
    bx, by, bw, bh = 440, 90, 230, 680
    p.box(bx, by, bw, bh, "#ecfdf5", "#047857")
    p.text(bx + 14, by + 560, "W5500-EVB-Pico", 16, weight="bold")
    p.text(bx + 14, by + 582, "GP16–GP21: W5500", 11, colour="#475569")
    p.text(bx + 14, by + 598, "（板上 on board）", 11, colour="#475569")
    left = [
        ("SHT40", "温湿度 temperature, humidity", "0x44", "3V3"),
        ("SCD40", "二氧化碳 CO₂", "0x62", "3V3"),
        ("SGP41", "挥发物指数 VOC index", "0x59", "3V3"),
        ("VEML7700", "照度 light", "0x10", "3V3"),
        ("LIS3DH", "震动、移位 vibration, tamper", "0x18", "3V3"),
    ]
    # The four wires of the bus.
    bus = [("3V3 (36)", "3V3", 150), ("GND (38)", "GND", 180), ("GP4 SDA", "I2C", 210), ("GP5 SCL", "I2C", 240)]
    xs = {150: 310, 180: 330, 210: 350, 240: 370}
    for label, kind, y in bus:
        p.text(bx + 8, y + 5, label, 12, colour=COLOURS[kind])
        p.wire([(bx, y), (xs[y], y), (xs[y], 735)], kind)
    y = 300
    for name, what, address, _ in left:
        p.box(40, y, 230, 74)
        p.text(52, y + 24, name, 15, weight="bold")
        p.text(52, y + 44, what, 12, colour="#475569")
        p.text(52, y + 62, f"I²C {address}", 11, colour=COLOURS["I2C"])
        for i, (_, kind, by_) in enumerate(bus):
            yy = y + 14 + 15 * i
            p.text(264, yy + 4, ["3V3", "GND", "SDA", "SCL"][i], 10, "end", COLOURS[kind])
            p.wire([(270, yy), (xs[by_], yy)], kind)
            p.dot(xs[by_], yy, kind)
        y += 88
    p.text(40, 110, "I²C 总线  bus", 14, weight="bold")
    p.text(40, 132, "两根 4.7 kΩ 上拉到 3V3（多数模块已带）", 12, colour="#475569")
    p.text(40, 150, "4.7 kΩ from SDA and SCL to 3V3", 12, colour="#475569")
    p.text(40, 168, "(most modules have them); 100 kHz,", 12, colour="#475569")
    p.text(40, 186, "全部线长之和不超过 1 m  1 m in all", 12, colour="#475569")
    p.text(40, 216, "SCD40 与 SHT40 远离稳压器，朝下开孔", 12, colour="#475569")
    p.text(40, 234, "Keep both away from the regulator,", 12, colour="#475569")
    p.text(40, 252, "below it, with holes to the room.", 12, colour="#475569")
    right = [
        ("PMS7003", "颗粒物 particles", [("5V (39)", "5V", "VCC"), ("GP15 ←", "UART", "TX 9600"), ("GND", "GND", "GND")]),
        ("LD2410C", "毫米波存在 presence", [("5V (39)", "5V", "VCC"), ("GP9 ←", "UART", "TX 256000"), ("GND", "GND", "GND")]),
        ("INMP441", "声级，不录音 level, no audio", [("3V3", "3V3", "VDD"), ("GP10 →", "I2S", "SCK"), ("GP11 →", "I2S", "WS"), ("GP12 ←", "I2S", "SD"), ("GND", "GND", "GND, L/R")]),
        ("一键报警 panic", "常开按钮 button to ground", [("GP2 ←", "IN", "NO"), ("GND", "GND", "COM")]),
        ("服务按钮 service", "按住 3 秒自检 3 s: test", [("GP3 ←", "IN", "NO"), ("GND", "GND", "COM")]),
        ("门磁回路 door loop", "见下图 see loops.svg", [("GP26 ADC0", "IN", "LOOP"), ("GND", "GND", "COM")]),
        ("烟感回路 smoke loop", "见下图 see loops.svg", [("GP27 ADC1", "IN", "LOOP"), ("GND", "GND", "COM")]),
        ("声光输出 outputs", "蜂鸣器、灯、警号，经三极管", [("GP6 →", "OUT", "BUZZER"), ("GP7 →", "OUT", "LAMP"), ("GP22 →", "OUT", "SIREN")]),
        ("串口 console", "115200，入网 enrolment", [("GP0 →", "UART", "RX"), ("GP1 ←", "UART", "TX"), ("GND", "GND", "GND")]),
    ]
    y = 84
    for name, what, wires in right:
        h = max(46, 16 * len(wires) + 14)
        p.box(900, y, 250, h)
        p.text(980, y + 20, name, 14, weight="bold")
        p.text(980, y + 38, what, 11, colour="#475569")
        for i, (pin, kind, at) in enumerate(wires):
            yy = y + 15 + 16 * i
            p.text(bx + bw - 8, yy + 4, pin, 11, "end", COLOURS[kind])
            p.wire([(bx + bw, yy), (900, yy)], kind)
            p.text(906, yy + 4, at, 10, colour=COLOURS[kind])
        y += h + 18
    p.box(440, 790, 230, 50, "#eff6ff", "#1d4ed8")
    p.text(555, 811, "PoE 分离器 splitter 802.3af", 13, "middle", weight="bold")
    p.text(555, 830, "隔离 isolated，5 V 2.4 A", 11, "middle", "#475569")
    p.wire([(500, 770), (500, 790)], "5V")
    p.text(490, 785, "5V → VSYS (39)", 11, "end", COLOURS["5V"])
    p.text(425, 850, "经肖特基二极管；勿同时插 USB", 11, "end", COLOURS["5V"])
    p.text(425, 866, "through a Schottky diode; no USB beside it", 11, "end", COLOURS["5V"])
    p.wire([(600, 770), (600, 790)], "GND")
    p.text(610, 785, "RJ45", 11)
    legend = [("3V3", "3.3 V"), ("5V", "5 V"), ("GND", "地 ground"), ("I2C", "I²C"), ("UART", "串口 serial"), ("I2S", "I²S"), ("IN", "输入 input"), ("OUT", "输出 output")]
    for i, (kind, text) in enumerate(legend):
        x, y = 40 + 110 * (i % 2), 770 + 18 * (i // 2)
        p.wire([(x, y), (x + 30, y)], kind)
        p.text(x + 38, y + 4, text, 12)
    p.save("node.svg")


def loops():
    """The supervised loop, and the probes with two or three wires."""
    p = Picture(1180, 690, "监测回路与探头 Supervised loops and probes")
    p.text(590, 34, "监测回路与探头  Supervised loops and probes", 20, "middle", weight="bold")

    def loop(y, title, contact, pin, note):
        p.text(40, y - 66, title, 15, weight="bold")
        p.box(40, y - 50, 180, 130, "#ecfdf5", "#047857")
        p.text(52, y - 28, "节点 node", 12, colour="#475569")
        p.text(52, y - 8, "3V3", 12, colour=COLOURS["3V3"])
        p.text(52, y + 24, pin, 12, colour=COLOURS["IN"])
        p.text(52, y + 68, "GND", 12, colour=COLOURS["GND"])
        p.wire([(220, y - 12), (330, y - 12), (330, y + 20)], "3V3")
        p.resistor(275, y - 12, "4.7 kΩ")
        p.wire([(220, y + 20), (560, y + 20)], "IN")
        p.dot(330, y + 20, "IN")
        p.text(445, y + 12, "（线 cable ≤ 50 m）", 11, "middle", "#475569")
        p.resistor(620, y + 20, "2.2 kΩ")
        p.wire([(560, y + 20), (598, y + 20)], "IN")
        p.wire([(642, y + 20), (700, y + 20), (700, y + 34)], "IN")
        p.wire([(700, y + 34), (760, y + 34)], "IN")
        p.wire([(700, y + 34), (700, y - 14), (730, y - 14)], "IN")
        p.resistor(752, y - 14, "10 kΩ")
        p.wire([(774, y - 14), (860, y - 14), (860, y + 34)], "IN")
        p.text(810, y + 28, contact, 12, "middle")
        p.dot(760, y + 34, "IN")
        p.dot(830, y + 34, "IN")
        p.wire([(760, y + 34), (822, y + 14)], "IN")
        p.wire([(830, y + 34), (860, y + 34), (860, y + 64), (220, y + 64)], "GND")
        p.out.append(f'<rect x="585" y="{y - 44}" width="290" height="98" rx="6" fill="none" stroke="#94a3b8" stroke-dasharray="5 4"/>')
        p.text(730, y - 50, "装在触点旁 at the contact", 11, "middle", "#475569")
        for i, line in enumerate(note):
            p.text(900, y - 30 + 20 * i, line, 12)

    states = ["合 closed：32 %", "开 open：72 %", "断线 cut：100 %", "短路 short：0 %", "电压占供电之比 share of the supply"]
    loop(140, "门磁 Door contact (GP26)", "", "GP26 ADC0", states)
    loop(350, "烟感（厨房：燃气）继电器 Smoke relay (kitchen: gas relay) (GP27)", "", "GP27 ADC1", ["常闭触点：报警即开，失电也开", "Normally closed: opens on alarm,", "and when the detector loses power.", "燃气区内不接任何继电器线圈或警号", "No siren or relay coil in the gas zone."])
    y = 500
    p.text(40, y - 10, "其他探头 Other probes (kitchen)", 15, weight="bold")
    probes = [
        ("漏水绳 Leak rope", "GP28 ADC2", ["100 kΩ → 3V3", "末端 far end: 100 kΩ", "两线 two wires"]),
        ("DS18B20 ×2", "GP13, GP12", ["4.7 kΩ → 3V3", "3V3, GND", "GP13 冰箱 fridge, GP12 热水 tap"]),
        ("NTC 10 kΩ (B3950)", "ADC", ["10 kΩ → 3V3", "NTC → GND", "代替漏水绳 instead of the rope"]),
        ("S0 / 脉冲 pulses", "GP14", ["10 kΩ → 3V3", "S0−: GND, S0+: GP14", "电、水、燃气表 meters"]),
        ("PIR (HC-SR501)", "GP14", ["5V, GND", "OUT 3.3 V", "代替脉冲 instead of pulses"]),
    ]
    for i, (name, pin, lines) in enumerate(probes):
        x = 40 + 224 * i
        p.box(x, y + 10, 208, 150)
        p.text(x + 12, y + 36, name, 14, weight="bold")
        p.text(x + 12, y + 60, pin, 13, colour=COLOURS["IN"])
        for j, line in enumerate(lines):
            p.text(x + 12, y + 86 + 22 * j, line, 12, colour="#475569")
    p.save("loops.svg")


def kit():
    """Five rooms, one cable each."""
    p = Picture(1180, 560, "五室标准套件 Standard kit of five rooms")
    p.text(590, 34, "五室标准套件  Standard kit of five rooms", 20, "middle", weight="bold")
    rooms = [
        ("托小班 class 1", ["房间节点 room node", "门磁、烟感、一键报警", "door, smoke, panic"]),
        ("托大班 class 2", ["房间节点 room node", "门磁、烟感、一键报警", "door, smoke, panic"]),
        ("寝室 nap room", ["房间节点 room node", "毫米波看得见睡着的孩子", "radar sees who sleeps"]),
        ("厨房 kitchen", ["厨房节点 kitchen node", "燃气、漏水、冰箱、热水、电表", "gas, leak, fridge, tap, meter"]),
        ("门厅 entrance", ["房间节点 room node", "出口门磁、一键报警", "exit door, panic"]),
    ]
    for i, (name, lines) in enumerate(rooms):
        x = 30 + 228 * i
        p.box(x, 70, 210, 120, "#ecfdf5", "#047857")
        p.text(x + 12, 98, name, 16, weight="bold")
        for j, line in enumerate(lines):
            p.text(x + 12, 126 + 20 * j, line, 12, colour="#475569")
        p.wire([(x + 105, 190), (x + 105, 240 + 12 * i), (440 + 60 * i, 240 + 12 * i), (440 + 60 * i, 330)], "I2C")
    p.text(40, 260, "每室一根五类线，供电与数据", 12, colour=COLOURS["I2C"])
    p.text(40, 278, "one Cat 5e cable each, power and data", 12, colour=COLOURS["I2C"])
    p.box(400, 330, 320, 60, "#eff6ff", "#1d4ed8")
    p.text(560, 356, "8 口 PoE 交换机 switch, 802.3af", 15, "middle", weight="bold")
    p.text(560, 376, "60 W 以上 or more", 12, "middle", "#475569")
    p.wire([(720, 360), (840, 360)], "I2C")
    p.box(840, 320, 300, 80, "#fefce8", "#a16207")
    p.text(990, 350, "网关 gateway（tuoan）", 16, "middle", weight="bold")
    p.text(990, 374, "小主机，装在有人值守处 small box at the desk", 12, "middle", "#475569")
    p.box(400, 450, 320, 60)
    p.text(560, 476, "不间断电源 UPS", 15, "middle", weight="bold")
    p.text(560, 496, "交换机和网关同接 feeds switch and gateway", 12, "middle", "#475569")
    p.wire([(560, 450), (560, 390)], "5V")
    p.wire([(720, 480), (990, 480), (990, 400)], "5V")
    p.wire([(400, 480), (250, 480)], "5V")
    p.text(245, 485, "市电 mains 220 V", 13, "end", COLOURS["5V"])
    p.save("kit.svg")


node()
loops()
kit()
