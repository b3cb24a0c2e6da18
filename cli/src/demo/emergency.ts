/** Step e: 911. */
import type { Configuration } from '@tandem/config/defaults.ts'
import type { Incident } from '@tandem/contracts/emergency.ts'
import type { LocateAnswer } from '@tandem/contracts/location.ts'
import type { Api } from '../api/client.ts'
import { civicLines } from '../print/civic.ts'
import { pause, type Step } from './stage.ts'
import { findCall, hearEachOther } from './talk.ts'

const ALICE = '+14255551001'

export function emergency(configuration: Configuration): Step {
  const { geo: _geo, ...address } = configuration.locations['hq-2-201'] ?? { country: '' }
  return {
    letter: 'e',
    title: 'alice dials 911',
    async play(stage, saw) {
      const call = await stage.alice.call('911')
      const invite = await stage.a.nextInvite((i) => /^(911|urn:service:sos)/.test(i.number))
      const wrong = Object.entries(address).filter(([field, value]) => civicField(invite.body, field) !== value)
      saw(
        `the INVITE to carrier A (${invite.number}) carries her address: ${civicLines(address as Record<string, string>).join(' · ')}`,
        wrong.length === 0,
        wrong
          .map(([field, value]) => `${field} is ${civicField(invite.body, field) ?? 'not there'}, not ${value}`)
          .join(', '),
      )
      const reference = invite.request.headers.get('geolocation') ?? ''
      saw(`as PIDF-LO by value (Geolocation: ${reference})`, reference.includes('cid:'))
      await call.answered
      const view = await findCall(stage, 'alice → 911', (c) => c.emergency)
      if (!invite.call) throw new Error('carrier A made no call of it')
      await hearEachOther(saw, ['alice', call], ['the PSAP', invite.call])

      const message = await stage.bob.nextMessage()
      saw(
        `the desk (bob) got a SIP MESSAGE: ${firstLine(message.body)}`,
        /alice|\+?14255551001/i.test(message.body),
        message.body,
      )
      const hook = await stage.desk.next((h) => h.body.includes(view.callId) || h.body.includes('alice'))
      saw(`and a webhook at ${stage.desk.url}${hook.path}`)

      const located = await stage.api.get<LocateAnswer>(`/locations/by-number/${encodeURIComponent(ALICE)}`)
      const civic = located.kind === 'found' ? (located.place.civic ?? {}) : {}
      const differs = Object.entries(address).filter(([field, value]) => civic[field] !== value)
      saw(
        `tandem locate ${ALICE} gives the same address (${located.kind === 'found' ? located.source : located.why})`,
        differs.length === 0,
        JSON.stringify(civic),
      )
      await pause(500)
      await call.hangUp()
      await invite.call.ended
    },
  }
}

/** Whether calls of that user from outside are still taken for emergency services that call back. */
export async function calledForHelp(api: Api, user: string, callbackMs: number): Promise<boolean> {
  const { incidents } = await api.get<{ incidents: Incident[] }>('/emergency/incidents')
  const since = Date.now() - callbackMs - 60_000
  return incidents.some((i) => i.user === user && !i.test && Date.parse(i.startedAt) > since)
}

/** Text of a civicAddress element, whatever its prefix. */
function civicField(body: string, field: string): string | undefined {
  return new RegExp(`<(?:\\w+:)?${field}>([^<]*)</`).exec(body)?.[1]?.trim()
}

function firstLine(text: string): string {
  return (text.split(/\r?\n/).find((line) => line.trim() !== '') ?? '').slice(0, 120)
}
