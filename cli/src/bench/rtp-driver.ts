/** The process of the phones: their CPU time is nobody else's. Told what to do by `rtp.ts`. */
import { takeOrders } from './driver-process.ts'
import { RtpLoad, type RtpResult, type RtpSettings } from './rtp-load.ts'

export type RtpOrder = { kind: 'open'; calls: number } | ({ kind: 'run' } & RtpSettings)

const load = new RtpLoad()
takeOrders<RtpOrder, number[] | RtpResult>(async (order) =>
  order.kind === 'open' ? await load.open(order.calls) : await load.run(order),
)
