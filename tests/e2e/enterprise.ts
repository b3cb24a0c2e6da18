/**
 * An enterprise around the platform: phones inside (127.0.3.x) and outside (127.0.0.2), two carriers on 127.0.5.1, the
 * webhook of an emergency desk. Every party has an address of its own, so that one which leaks to another side is seen.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SipMessage } from '@tandem/sip/message/message.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { type Itsp, type ReceivedInvite, startItsp } from '@tandem/testing/itsp.ts'
import { type Phone, startPhone } from '@tandem/testing/phone.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { startWebhook, type Webhook } from '@tandem/testing/webhook.ts'
import { type BaresipParts, startBaresip } from './baresip.ts'
import { type Document, eventually, type Platform, type Ports, plainDocument, startPlatform } from './platform.ts'

/** The office: what stands here is inside site hq. */
export const OFFICE = '127.0.3.7'
/** Another network, outside every site. */
export const ELSEWHERE = '127.0.0.2'
export const CARRIERS = '127.0.5.1'
/** Alice's mobile, and as trunk itsp-a writes it. */
export const MOBILE = '+12065550142'
export const MOBILE_AT_A = MOBILE.slice(1)
/** ms; an answer sooner than 2 s after the INVITE would be the mobile's voicemail. */
export const A_PERSON_ANSWERS_AFTER = 2500
/** Her room: RFC 5139 fields. */
export const ROOM = {
  country: 'US',
  A1: 'WA',
  A3: 'Redmond',
  HNO: '15010',
  PRD: 'NE',
  RD: 'Quillfeather',
  STS: 'St',
  PC: '98052',
  FLR: '2',
  ROOM: '201',
} as const

export interface Enterprise {
  readonly platform: Platform
  /** Known by its address, paid by the minute. */
  readonly a: Itsp
  /** Registered with digest, paid by bandwidth. */
  readonly b: Itsp
  readonly desk: Webhook
  /** Every SIP message that the carriers received, as text. */
  readonly atCarriers: readonly string[]
  /** A user's phone in the office over UDP, registered; its messages go to `heard`. */
  insidePhone(user: string, more?: { heard?: string[]; sessionExpires?: number }): Promise<Phone>
  /** A user's phone over TLS from elsewhere, the edge's certificate checked; registered. */
  outsidePhone(user: string, more?: { heard?: string[]; sessionExpires?: number }): Promise<Phone>
  close(): Promise<void>
}

/** The plain document, and: mobiles, an office network, registration with carrier B, a desk for emergencies. */
export function enterpriseDocument(p: Ports, deskUrl: string): Document {
  // biome-ignore lint/suspicious/noExplicitAny: a document of YAML, read by its own schema
  const d = plainDocument(p) as any
  d.edge.sessionTimer = '90s'
  d.sites.hq.networks = ['127.0.0.1/32', '127.0.3.0/24']
  d.policies.staff = { usages: ['national'], ring: ['national'] }
  d.trunks['itsp-a'].to = [`sip:${CARRIERS}:${p.carrierA}`]
  d.trunks['itsp-a'].from = [`${CARRIERS}:${p.carrierA}`]
  d.trunks['itsp-b'] = {
    ...d.trunks['itsp-b'],
    to: [`sip:${CARRIERS}:${p.carrierB}`],
    from: [`${CARRIERS}:${p.carrierB}`],
    register: { registrar: `sip:${CARRIERS}:${p.carrierB}`, user: 'acme', password: { env: 'ITSP_B_PASSWORD' } },
  }
  d.users.alice = { ...d.users.alice, mobile: MOBILE, simultaneousRing: true, location: 'hq-2-201' }
  d.users.carol = { ...d.users.bob, did: '+14255551003', extension: '1003', password: { env: 'CAROL_PASSWORD' } }
  d.locations['hq-2-201'] = ROOM
  d.emergency.desk = ['sip:bob@acme.example', `${deskUrl}/911`]
  return d
}

export async function startEnterprise(
  change: (document: Document) => Document = (document) => document,
  environment: Record<string, string> = {},
): Promise<Enterprise> {
  const desk = await startWebhook()
  const atCarriers: string[] = []
  const carriers: Itsp[] = []
  const carrier = (name: string, port: number, target: number, more: Partial<Parameters<typeof startItsp>[0]> = {}) =>
    startItsp({
      name,
      listen: `udp://${CARRIERS}:${port}`,
      target: `udp://127.0.0.1:${target}`,
      phones: { [MOBILE]: 'ring' },
      onMessage: (message) => void atCarriers.push(asText(message)),
      ...more,
    })
  const platform = await startPlatform(
    (ports) => change(enterpriseDocument(ports, desk.url)),
    { CAROL_PASSWORD: 'carol-password', ...environment },
    async (p) => {
      carriers.push(await carrier('carrier A', p.carrierA, p.carrier))
      const digestAccounts = { acme: 'itsp-b-password' }
      carriers.push(await carrier('carrier B', p.carrierB, p.carrier, { digestAccounts }))
    },
  ).catch(async (error: unknown) => {
    await Promise.all([...carriers.map((one) => one.close()), desk.close()])
    throw error
  })
  const phones: Phone[] = []
  const passwords: Record<string, string | undefined> = {
    alice: platform.secrets.ALICE_PASSWORD,
    bob: platform.secrets.BOB_PASSWORD,
    carol: 'carol-password',
  }
  const phone = async (user: string, server: string, bind: string, more: PhoneExtras, ca?: string) => {
    const { heard, sessionExpires } = more
    const made = await startPhone({
      name: user,
      domain: 'acme.example',
      server,
      bind,
      password: passwords[user] ?? '',
      ...(ca === undefined ? {} : { ca }),
      ...(sessionExpires === undefined ? {} : { sessionExpires }),
      ...(heard === undefined ? {} : { onMessage: (message: SipMessage) => void heard.push(asText(message)) }),
    })
    phones.push(made)
    await made.register()
    return made
  }
  const [a, b] = carriers as [Itsp, Itsp]
  const here: Enterprise = {
    platform,
    a,
    b,
    desk,
    atCarriers,
    insidePhone: (user, more = {}) => phone(user, `udp://127.0.0.1:${platform.ports.inside}`, OFFICE, more),
    outsidePhone: async (user, more = {}) => {
      const ca = await readFile(join(platform.data, 'secrets', 'certs', 'edge.pem'), 'utf8')
      return phone(user, `tls://127.0.0.1:${platform.ports.tls}`, ELSEWHERE, more, ca)
    },
    async close() {
      await Promise.all(phones.map((one) => one.close()))
      const code = await platform.stop().finally(async () => {
        await Promise.all([...carriers.map((one) => one.close()), desk.close()])
      })
      if (code !== 0) throw new Error(`tandem up ended with ${code}`)
    },
  }
  // nobody else would stop what runs by now
  await b.nextRegistration(60_000).catch(async (error: unknown) => {
    await here.close()
    throw error
  })
  return here
}

interface PhoneExtras {
  readonly heard?: string[]
  readonly sessionExpires?: number
}

function asText(message: SipMessage): string {
  return writeMessage(message).toString('latin1')
}

/** The call that a carrier makes of an INVITE. */
export async function callOf(invite: ReceivedInvite): Promise<CallHandle> {
  return await eventually(`a call made of the INVITE for ${invite.number}`, async () => invite.call, 30_000)
}

/** Each hears the tone of the other, and neither gets audio from the other's own address. */
export async function hearEachOther(one: CallHandle, other: CallHandle): Promise<void> {
  await Promise.all([one.audio.hears(other.audio.tone, 30_000), other.audio.hears(one.audio.tone, 30_000)])
  for (const [here, there] of [
    [one, other],
    [other, one],
  ] as const) {
    if (here.audio.from === `${there.audio.address}:${there.audio.port}`)
      throw new Error(`audio came straight from ${here.audio.from}, not through the edge`)
  }
}

/**
 * For phones by baresip 1.0, which gives up at a challenge with SHA-256 beside MD5 (edge.md E3), and whose TLS and RTP come
 * from 127.0.0.1 whatever it is told: that address is outside every site here.
 */
export function forBaresip(document: Document): Document {
  // biome-ignore lint/suspicious/noExplicitAny: a document of YAML, read by its own schema
  const d = document as any
  for (const listener of ['inside', 'remote']) d.edge.listen[listener].digest = ['md5']
  d.sites.hq.networks = ['127.0.3.0/24']
  return d
}

/** A user's baresip in the office, over UDP. */
export async function insideBaresip(platform: Platform, user: string, watches: readonly string[] = []) {
  return await startBaresip({
    ...{ user, domain: 'acme.example', watches, transport: 'udp', address: OFFICE },
    server: `127.0.0.1:${platform.ports.inside}`,
    password: platform.secrets[`${user.toUpperCase()}_PASSWORD`] ?? '',
  })
}

/** A user's baresip at home: over TLS, behind a NAT (Contact and SDP say 127.0.0.2, its packets come from elsewhere). */
export async function outsideBaresip(
  platform: Platform,
  user: string,
  more: Pick<BaresipParts, 'watches' | 'srtp'> = {},
) {
  return await startBaresip({
    ...more,
    ...{ user, domain: 'acme.example', transport: 'tls', address: ELSEWHERE, mediaAddress: ELSEWHERE },
    server: `127.0.0.1:${platform.ports.tls}`,
    password: platform.secrets[`${user.toUpperCase()}_PASSWORD`] ?? '',
    caFile: join(platform.data, 'secrets', 'certs', 'edge.pem'),
  })
}
