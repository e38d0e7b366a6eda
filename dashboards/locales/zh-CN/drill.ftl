# 演练。
drill-begun = 演练开始
drill-report-written = 演练记录已写入
drill-title = 应急演练记录
drill-what = 演练内容
drill-where = 地点
drill-by = 负责人
drill-when = 开始时间
drill-time = 时刻
drill-after = 用时
drill-step = 步骤
drill-who = 人员 / 通道
drill-detected = 系统发现警情
drill-accepted = 平台确认收到
drill-told = 已通知
drill-seen = 已看到
drill-sign = 负责人签字
drill-sign-date = 日期
