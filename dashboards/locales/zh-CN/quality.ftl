# 报警质量：页面、命令与周报。

quality = 报警质量
quality-link = 统计与改进建议
quality-days = 最近 { $n } 天
quality-report = 上周周报
quality-recorded = 从 { $time } 才有记录，平均数按有记录的时间计算。
quality-lead = { $n ->
    [0] 这段时间没有报警。
   *[other] 这段时间报警 { $n } 次，其中紧急和严重 { $urgent } 次。
}
quality-none = 没有报警
quality-alarms = { $n } 次报警
quality-incomplete = 报警太多，没有全部计入，实际会更多。
quality-clock = 其中 { $n } 次报警时网关时钟不准，时间只供参考。

quality-key-alarms = 报警次数
quality-key-floods = 报警洪峰
quality-key-false = 误报占比
quality-key-late = 没有按时处理
quality-key-chattering = 抖动报警
quality-key-stale = 滞留报警
quality-rates = 每天 { $day } 次，每小时 { $hour } 次
quality-peak = 10 分钟内最多 { $n } 次
quality-flood-share = 占 { $share } 的时间
quality-judged = 判定了 { $n }/{ $all } 件，还有 { $rest } 件没有判定
quality-no-incident = 这段时间没有新事件
quality-asked = 应按时接手和处理 { $n } 次
quality-chattering-note = 反复报警的地方
quality-stale-note = 持续超过 24 小时的事件
quality-before-more = ↑ 上期 { $before }
quality-before-less = ↓ 上期 { $before }
quality-before-same = 上期 { $before }

quality-actors = 先改这几处
quality-actors-share = 下面这些占全部报警的 { $share }。
quality-actors-none = 没有需要改进的地方。
quality-actor-alarms = { $n } 次，占 { $share }
quality-actor-chatter = 抖动 { $n } 阵{ $held ->
    [0] {""}
   *[other] （另有 { $held } 次没有再提醒）
}
quality-actor-stale = { $n } 件超过 24 小时
quality-actor-unjudged = 还没有判定是否误报
quality-actor-false = 判定 { $n } 件，误报 { $false } 件
quality-suggested = 建议
quality-step-hold = “持续多久才算”从 { $from }改为 { $to }
quality-step-hold-new = “持续多久才算”改为 { $to }
quality-step-bound = { $quantity }“{ $name }”从 { $from } 改为 { $to } { $unit }
quality-care-place = 检修传感器：看看它是否靠近蒸汽、灰尘、阳光或风口，是否固定好，再测试一次。
quality-care-link = 检查连接：看看它的电源和信号，离转接设备是否太远、隔墙太多。
quality-care-battery = 更换电池。
quality-care-value = 校对读数：清洁传感器，与另一只放在一起比较，仍然不对就更换。
quality-care-test = 按说明书做一次测试。
quality-cause = 这里的报警大多属实，请处理引起报警的原因，不要放宽规则。
quality-nothing = 次数很少，暂时不用处理。
quality-unknown = 暂时给不出建议。
quality-trial-pending = 正在用本园的记录试算……
quality-trial-done = 按本园 { $days } 天的记录，这条规则每周报警约 { $before } 次 → { $after } 次。
quality-trial-short = 只有 { $days } 天的记录，太短，还不能试算。
quality-trial-time = 试算没有在限定时间内完成，可以在规则页面单独试算。
quality-trial-failed = 试算没有完成：{ $why }
quality-trial-doubt = 记录不满一周，这些数字不确定。
quality-try = 去试算这项调整
quality-see-rule = 查看规则

quality-by-day = 每天的报警
quality-by-hour = 一天中的时段
quality-urgent = 底部：紧急和严重
quality-chart-most = 最多的是 { $name }，{ $n } 次

quality-times = 接手与处理用时
quality-times-help = 从报警到有人接手，以及到处理好或恢复正常。
quality-times-none = 没有需要接手的事件。
quality-severity = 等级
quality-acknowledge = 接手
quality-handle = 处理
quality-median = 一半不超过
quality-p90 = 九成不超过
quality-kept = 按时
quality-target = 目标
quality-target-none = 不设目标
quality-late = 没有按时处理的
quality-late-none = 都按时了。
quality-late-note = 过了 { $took }才有人接手（目标 { $target }）
quality-late-note-never = { $took }没有人接手（目标 { $target }）
quality-late-handle = 过了 { $took }才处理好（目标 { $target }）
quality-late-handle-never = { $took }还没有处理好（目标 { $target }）

quality-false = 各规则的误报
quality-false-help = 只按已经判定的事件计算。在事件页面选“属实”或“误报”，这里就会更准。
quality-rule = 规则
quality-incidents = 事件
quality-column-judged = 已判定
quality-column-false = 误报
quality-floods = 报警洪峰
quality-flood = { $n } 次，10 分钟内最多 { $peak } 次
quality-stale = 滞留报警
quality-stale-since = { $time } 起，持续 { $span }
quality-stale-still = { $time } 起，一直没有恢复

quality-apart = 不计入报警的
quality-apart-drills = 演练
quality-apart-tests = 调试测试
quality-apart-canaries = 自检
quality-apart-shelved = 搁置
quality-apart-suppressed = 检修中
quality-apart-out-of-service = 停用
quality-apart-unannounced = 搁置、检修或停用期间没有提醒的
quality-apart-held-back = 抖动中没有再提醒的
quality-apart-gathered = 并入同一事件的
quality-apart-merged = 合并的事件

quality-definitions = 这些数字是怎么算的
quality-def-alarm = 报警：让人再看一次的情况，包括新发生、再次发生和升级。搁置、检修和停用期间的不算，演练和自检也不算。
quality-def-flood = 洪峰：10 分钟内超过 10 次报警，少于 5 次时结束（ISA-18.2-2016、IEC 62682、EEMUA 191）。
quality-def-chatter = 抖动：同一处 1 分钟内报警 3 次（ISA-18.2），或半小时内 5 次。
quality-def-stale = 滞留：持续超过 24 小时（ISA-18.2、EEMUA 191）。
quality-def-targets = 目标：紧急 60 秒接手、10 分钟处理；严重 5 分钟、60 分钟；一般 4 小时、24 小时；提示不设。由托安设定，标准只要求各等级有目标。
quality-def-false = 误报占比：已判定的事件中“误报”所占的比例；没有判定的不计。

quality-week = 第 { $n } 周（{ $from }至{ $to }）
quality-weekly = 报警周报
quality-weekly-title = { $site } 报警周报 · { $week }
quality-key = 主要数字
quality-week-this = 本周
quality-week-before = 上周
quality-week-earlier = 前一周
quality-week-later = 后一周
quality-back = 返回报警质量
quality-line-note = { $name }：{ $value }（{ $note }）
quality-at-place = { $place } · { $title }
quality-stop = 。
quality-answer = 接手或处置
quality-figure = 指标
