/** How the figures of the relays are shown. */
import { compared, type Figure, figure, type Measure, machine, middle } from './figures.ts'
import { highestCalls, type RelayFigures, type RtpFigures, type RtpPlan, type RtpRound } from './rtp.ts'

type Plan = Pick<RtpPlan, 'calls' | 'packetsPerSecond' | 'seconds' | 'runs' | 'ramp'>

function measures({ packetsPerSecond }: Plan, direct: RtpFigures['direct']): Measure<RtpRound>[] {
  return [
    { name: 'CPU of all processes per packet', unit: 'µs', digits: 1, of: (r) => r.cpuUs },
    { name: 'calls per core', unit: 'calls', digits: 0, of: (r) => 1e6 / (r.cpuUs * 2 * packetsPerSecond) },
    { name: 'added delay p50', unit: 'µs', digits: 0, of: (r) => Math.max(0, r.delayP50Us - direct.delayP50Us) },
    { name: 'delay p99', unit: 'µs', digits: 0, of: (r) => r.delayP99Us },
  ]
}

export function rtpFigures({ relay, peer, direct }: RtpFigures, plan: Plan): Figure[] {
  const at = `${plan.calls} calls`
  const pair = (name: string, unit: string, digits: number, of: (each: RelayFigures) => number | null) =>
    figure(`rtp: ${name}`, unit, digits, of(relay), peer && of(peer))
  const sum = (of: RelayFigures, value: (r: RtpRound) => number) => of.rounds.reduce((all, r) => all + value(r), 0)
  return [
    ...measures(plan, direct).map((m) => pair(`${m.name}, ${at}`, m.unit, m.digits, (of) => middle(m, of.rounds))),
    pair(`lost, ${at}`, 'packets', 0, (of) => sum(of, (r) => r.sent - r.received)),
    ...(plan.ramp ? [pair('most calls without loss, delay p99 within 2 ms', 'calls', 0, highestCalls)] : []),
  ]
}

export function describeRtp(told: RtpFigures, plan: Plan): string {
  const { relay, peer, noPeer, direct } = told
  const rate = 2 * plan.calls * plan.packetsPerSecond
  return [
    `A call: two phones, each sends ${plan.packetsPerSecond} RTP packets of 172 bytes a second to a port of its own leg; ${plan.calls} calls are ${rate} packets/s; ${plan.runs} rounds of ${plan.seconds} s${peer ? ', the relays in turns' : ''}; medians.`,
    'CPU: the engine as it runs in edge-proxy, in a process of its own; rtpengine in user space with one thread.',
    `Delay: from phone to phone; added: less what it is without a relay (p50 ${us(direct.delayP50Us)}, p99 ${us(direct.delayP99Us)}).`,
    `Machine: ${machine()}`,
    '',
    compared(rtpFigures(told, plan), measures(plan, direct), [relay, peer]),
    ...(peer === null ? ['', `No peer: ${noPeer}.`] : []),
    ...(plan.ramp ? ['', climbed(relay), ...(peer ? [climbed(peer)] : [])] : []),
    ...told.wrong.map((line) => `✗ ${line}`),
  ].join('\n')
}

const us = (value: number) => `${value.toFixed(0)} µs`

function climbed({ name, steps }: RelayFigures): string {
  const each = steps.map(
    (r) =>
      `${r.calls} calls ${r.sent - r.received} lost, p99 ${(r.delayP99Us / 1000).toFixed(2)} ms, ${r.cpuUs.toFixed(1)} µs`,
  )
  return `${name} step by step (ends when a packet is lost or p99 is above 2 ms, twice): ${each.join('; ')}`
}
