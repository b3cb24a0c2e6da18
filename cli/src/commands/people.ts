/** presence, locate */
import type { LocateAnswer } from '@tandem/contracts/location.ts'
import type { PresenceState } from '@tandem/contracts/presence.ts'
import type { Command } from 'commander'
import type { PresenceList } from '../api/resources.ts'
import { civicLines } from '../print/civic.ts'
import { colours } from '../print/colours.ts'
import { table } from '../print/table.ts'
import { clock } from '../print/times.ts'
import { addApiCommand, apiOf, type CommonOptions, print } from './command.ts'

export function addPeopleCommands(program: Command): void {
  addApiCommand(program, 'presence [user]', 'who is available, busy, on the phone', 'presence alice').action(
    async (user: string | undefined, options: CommonOptions) => {
      const { states } = await apiOf(options).get<PresenceList>('/presence', { user })
      print(options, states, () => presenceTable(states))
    },
  )
  addApiCommand(
    program,
    'locate <who>',
    'where a number or user is: what an emergency call would say',
    'locate +14255551001',
  ).action(locate)
}

export function presenceTable(states: readonly PresenceState[]): string {
  const colour: Record<string, (text: string) => string> = {
    available: colours.green,
    busy: colours.red,
    dnd: colours.red,
    away: colours.yellow,
  }
  return table<PresenceState>(
    [
      { head: 'user', value: (s) => s.user },
      { head: 'availability', value: (s) => (colour[s.availability] ?? colours.dim)(s.availability) },
      {
        head: 'activity',
        value: (s) => s.activities.join(', ') + (s.device && s.activities.length > 0 ? ` (${s.device})` : ''),
      },
      { head: 'since', value: (s) => clock(s.since) },
    ],
    states,
  )
}

async function locate(who: string, options: CommonOptions): Promise<void> {
  const path = /^\+?\d+$/.test(who) ? 'by-number' : 'by-user'
  const answer = await apiOf(options).get<LocateAnswer>(`/locations/${path}/${encodeURIComponent(who)}`)
  print(options, answer, () => describe(who, answer))
  if (answer.kind !== 'found') process.exitCode = 1
}

function describe(who: string, answer: LocateAnswer): string {
  if (answer.kind !== 'found') return `${who}: ${answer.why}`
  const { place } = answer
  const how = `from ${answer.source}, confidence ${answer.confidence}, at ${clock(answer.determinedAt)}`
  return [
    ...civicLines(place.civic ?? {}),
    ...(place.point ? [`${place.point.latitude} ${place.point.longitude} (WGS 84)`] : []),
    colours.dim(`${place.ref ? `${place.ref}: ` : ''}${how}${answer.callback ? `; call back ${answer.callback}` : ''}`),
  ].join('\n')
}
