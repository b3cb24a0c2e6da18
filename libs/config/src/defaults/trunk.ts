/** A trunk with its defaults. */
import type { Each, Trunk, TrunkQualityRule, Written } from '../configuration.ts'
import type { WrittenRule } from '../rule-form.ts'
import { windows } from './routes.ts'
import { kbps, ms, numberRule, seconds, share } from './values.ts'

/** routing.md R4 */
export const RETRY_STATUS: readonly number[] = [408, 500, 502, 503, 504]

export const TIMERS = { noResponseMs: 4_000, tryingOnlyMs: 10_000 } as const

export const EMERGENCY_TIMERS = { noResponseMs: 2_000, tryingOnlyMs: 5_000 } as const

function quality(q: Each<Written<'trunks'>>['quality']): TrunkQualityRule | null {
  if (q === undefined) return null
  const ratio = (r: { below: string; back?: string } | undefined) => {
    if (r === undefined) return null
    const below = share(r.below)
    return { below, back: r.back === undefined ? Math.min(1, below + 0.1) : share(r.back) }
  }
  const aboveMs = ms(q.pdd?.above, 0)
  return {
    asr: ratio(q.asr),
    ner: ratio(q.ner),
    pdd: q.pdd === undefined ? null : { aboveMs, backMs: ms(q.pdd.back, aboveMs * 0.8) },
    windowMs: ms(q.window, 15 * 60_000),
    calls: q.calls ?? 30,
    probe: share(q.probe ?? '5%'),
    pauseMs: ms(q.pause, 30 * 60_000),
  }
}

export function trunk(name: string, t: Each<Written<'trunks'>>, country: string): Trunk {
  const way = (d: { called?: WrittenRule[]; calling?: WrittenRule[] } | undefined) => ({
    called: (d?.called ?? []).map(numberRule),
    calling: (d?.calling ?? []).map(numberRule),
  })
  const register = t.register
    ? {
        registrar: t.register.registrar,
        user: t.register.user,
        password: t.register.password,
        expiresS: seconds(t.register.expires, 600),
        bulk: t.register.bulk ?? false,
        nodes: t.register.nodes ?? ('every' as const),
      }
    : null
  return {
    name,
    to: t.to,
    from: t.from ?? [],
    numbers: t.numbers ?? [],
    hosts: (t.hosts ?? []).map((h) => h.toLowerCase()),
    listener: t.listener,
    transport: t.transport ?? 'auto',
    tls: t.tls
      ? {
          ca: t.tls.ca ?? null,
          names: (t.tls.names ?? []).map((n) => n.toLowerCase()),
          verify: t.tls.verify ?? true,
          certificate: t.tls.certificate ?? null,
          privateKey: t.tls.privateKey ?? null,
          clientCertificate: t.tls.clientCertificate ?? null,
        }
      : null,
    translate: { outbound: way(t.translate?.outbound), inbound: way(t.translate?.inbound) },
    options: {
      intervalMs: ms(t.options?.interval, 30_000),
      up: t.options?.up ?? 1,
      down: t.options?.down ?? 3,
      alive: t.options?.alive ?? [],
    },
    register,
    outboundProxy: t.outboundProxy ?? null,
    credentials: t.credentials ?? (register && { user: register.user, password: register.password }),
    authenticate: t.authenticate ? { ...t.authenticate, digest: t.authenticate.digest ?? null } : null,
    limits: {
      calls: t.limits?.calls ?? null,
      callsPerSecond: t.limits?.callsPerSecond ?? null,
      bandwidthKbps: kbps(t.limits?.bandwidth),
    },
    quality: quality(t.quality),
    emergency: t.emergency ?? false,
    cost: t.cost ?? null,
    retry: t.retry ?? RETRY_STATUS,
    timers: {
      noResponseMs: ms(t.timers?.noResponse, TIMERS.noResponseMs),
      tryingOnlyMs: ms(t.timers?.tryingOnly, TIMERS.tryingOnlyMs),
    },
    country: t.country ?? country,
    dialPlan: t.dialPlan ?? null,
    usages: t.usages ?? [],
    did: t.did ?? 'request-uri',
    prack: t.prack ?? 'supported',
    trusted: t.trusted ?? false,
    callerId: t.callerId
      ? {
          allow: t.callerId.allow,
          otherwise: t.callerId.otherwise ?? 'replace',
          number: t.callerId.number ?? null,
        }
      : null,
    priority: t.priority ?? 0,
    weight: t.weight ?? 0,
    when: windows(t.when),
    transfer: t.transfer ?? 'reject',
    stir: {
      sign: t.stir?.sign ? { ...t.stir.sign, attestation: t.stir.sign.attestation ?? 'auto' } : null,
      verify: t.stir?.verify
        ? { missing: t.stir.verify.missing ?? 'allow', invalid: t.stir.verify.invalid ?? 'allow' }
        : null,
    },
    srtp: t.srtp ?? null,
    codecs: t.codecs
      ? { allow: t.codecs.allow ?? null, strip: t.codecs.strip ?? [], order: t.codecs.order ?? [] }
      : null,
    mediaBypass: t.mediaBypass ?? false,
    redirect: t.redirect ?? 'reject',
  }
}
