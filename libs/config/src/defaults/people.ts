/** Users and numbers with their defaults. */
import type { Each, FactSource, NumberEntry, User, Written } from '../configuration.ts'
import { ms } from './values.ts'

export function user(name: string, u: Each<Written<'users'>>): User {
  return {
    name,
    displayName: u.name ?? name,
    did: u.did ?? null,
    extension: u.extension ?? null,
    site: u.site,
    policy: u.policy,
    pool: u.pool ?? null,
    dialPlan: u.dialPlan ?? null,
    mobile: u.mobile ?? null,
    simultaneousRing: u.simultaneousRing ?? false,
    forward: forwarding(u.forward),
    location: u.location ?? null,
    costCentre: u.costCentre ?? null,
    callerId: u.callerId ?? null,
    mayShow: u.mayShow ?? [],
    emergencyCallback: u.emergencyCallback ?? null,
    password: u.password,
    srtp: u.srtp ?? null,
    digest: u.digest ?? null,
  }
}

function forwarding(f: Each<Written<'users'>>['forward']): User['forward'] {
  const noAnswer = typeof f?.noAnswer === 'string' ? { to: f.noAnswer } : f?.noAnswer
  return {
    always: f?.always ?? null,
    busy: f?.busy ?? null,
    noAnswer: noAnswer?.to ?? null,
    unreachable: f?.unreachable ?? noAnswer?.to ?? null,
    afterMs: ms(noAnswer?.after ?? f?.after, 20_000),
  }
}

export function numberEntry(n: Written<'numbers'>[number]): NumberEntry {
  const [first, last] = n.range === undefined ? [n.number, n.number] : n.range.split('-')
  return {
    first: first ?? '',
    last: last ?? '',
    user: n.user ?? null,
    reserved: n.reserved ?? false,
    failover: n.failover ?? null,
    policy: n.policy ?? null,
    note: n.note ?? null,
  }
}

export const factSource = (written: { source: string; refresh?: string } | undefined): FactSource | null =>
  written === undefined ? null : { source: written.source, refreshMs: Math.max(ms(written.refresh, 3_600_000), 1000) }
