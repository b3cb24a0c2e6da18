/** calls, ladder, call */
import { writeFileSync } from 'node:fs'
import type { LegMedia } from '@tandem/contracts/call.ts'
import type { Command } from 'commander'
import type { Api } from '../api/client.ts'
import type { CallPage, CallView } from '../api/resources.ts'
import { Failure } from '../failure.ts'
import { colours } from '../print/colours.ts'
import { heardLine, worstMos } from '../print/heard.ts'
import { partyName } from '../print/party.ts'
import { signature, transfer } from '../print/provenance.ts'
import { table } from '../print/table.ts'
import { clock, seconds } from '../print/times.ts'
import { addApiCommand, apiOf, type CommonOptions, print } from './command.ts'

const CALL_WITHIN_MS = 40_000

export function addCallCommands(program: Command): void {
  addApiCommand(program, 'calls', 'calls that are up, and those of the last hour', 'calls --live')
    .option('--live', 'only those that are up')
    .action(async (options: CommonOptions & { live?: boolean }) => {
      const { calls } = await apiOf(options).get<CallPage>('/calls', {
        state: options.live ? 'live' : 'all',
        limit: 200,
      })
      print(options, calls, () => (calls.length > 0 ? callTable(calls) : 'no calls'))
    })
  addApiCommand(program, 'ladder <call>', 'the SIP ladder of a call of the last hour', 'ladder last')
    .option('--pcap <file>', 'write its messages as pcap, for sngrep, tshark and Wireshark')
    .action(ladder)
  addApiCommand(
    program,
    'call',
    "a test call: rings the user, then dials in this user's name",
    'call --from alice --to 912065550100',
  )
    .requiredOption('--from <user>', 'user whose phone rings first')
    .requiredOption('--to <number>', 'digits as dialled')
    .action(placeCall)
}

export function callTable(calls: readonly CallView[]): string {
  return table<CallView>(
    [
      { head: 'call', value: (c) => c.callId },
      { head: 'started', value: (c) => clock(c.startedAt) },
      { head: 'state', value: (c) => (c.state === 'up' ? colours.green(c.state) : c.state) },
      { head: 'from', value: (c) => c.user ?? c.from },
      { head: 'to', value: (c) => `${c.to ?? c.dialled}${c.emergency ? colours.red(' emergency') : ''}` },
      { head: 'talked', value: (c) => seconds(c.durationMs), align: 'right' },
      { head: 'MOS', value: (c) => worstMos(c.legs)?.toFixed(2), align: 'right' },
      {
        head: 'legs',
        value: (c) => c.legs.map(legText).join(', '),
      },
    ],
    calls,
  )
}

/** `bob`, `trunk itsp-a 486`, `trunk itsp-a (signed A)`, `carol (by alice)`. */
function legText(leg: CallView['legs'][number]): string {
  const status = leg.sipStatus && leg.sipStatus !== 200 ? ` ${leg.sipStatus}` : ''
  const signed = signature(leg)
  const notes = [signed === '' || signed === 'unsigned' ? signed : `signed ${signed}`, transfer(leg)].filter(Boolean)
  return `${partyName(leg.party)}${status}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`
}

async function ladder(call: string, options: CommonOptions & { pcap?: string }): Promise<void> {
  const api = apiOf(options)
  const id = call === 'last' ? await lastCall(api) : call
  if (options.pcap !== undefined) {
    const capture = await api.bytes(`/calls/${encodeURIComponent(id)}/pcap`)
    writeFileSync(options.pcap, capture)
    print(
      options,
      { callId: id, file: options.pcap, bytes: capture.length },
      () => `${options.pcap}: ${capture.length} bytes`,
    )
    return
  }
  if (options.json) console.log(JSON.stringify(await api.get(`/calls/${encodeURIComponent(id)}/ladder`), null, 2))
  else {
    const query = { format: 'text', width: terminalWidth() }
    console.log((await api.text(`/calls/${encodeURIComponent(id)}/ladder`, query)).trimEnd())
    const call = await api.get<CallView>(`/calls/${encodeURIComponent(id)}`).catch(() => undefined)
    if (call !== undefined) for (const line of heardLines(call)) console.log(line)
  }
}

/** Under the ladder: how well each leg was heard, as far as that is known. */
export function heardLines({ legs }: Pick<CallView, 'legs'>): string[] {
  const known = legs.filter(({ media }) => (media?.received.packets ?? 0) + (media?.sent.packets ?? 0) > 0)
  const width = Math.max(...known.map(({ party }) => partyName(party).length))
  return known.map(({ party, media }) => `${partyName(party).padEnd(width)}  ${heardLine(media as LegMedia)}`)
}

/** Characters, as COLUMNS or else the terminal says; undefined when the ladder is read by a program. */
function terminalWidth(): number | undefined {
  const width = Number(process.env.COLUMNS) || process.stdout.columns
  return width ? Math.min(Math.max(Math.floor(width), 20), 1000) : undefined
}

async function lastCall(api: Api): Promise<string> {
  const { calls } = await api.get<CallPage>('/calls', { limit: 1 })
  const last = calls[0]
  if (!last) throw new Failure('there was no call in the last hour', 'Make one: tandem call --from USER --to <number>')
  return last.callId
}

async function placeCall(options: CommonOptions & { from: string; to: string }): Promise<void> {
  const api = apiOf(options)
  const { callId } = await api.post<{ callId: string }>('/calls', { from: options.from, to: options.to })
  if (!options.json) console.log(`call ${callId}: ringing ${options.from}, then ${options.to}`)
  const until = performance.now() + CALL_WITHIN_MS
  let before = ''
  for (;;) {
    const call = await api.get<CallView>(`/calls/${callId}`).catch(() => null)
    if (call && call.state !== before && !options.json)
      console.log(`  ${clock(new Date().toISOString())} ${call.state}`)
    before = call?.state ?? before
    if (call?.state === 'up' || call?.state === 'ended' || performance.now() > until) {
      if (options.json) console.log(JSON.stringify({ callId, state: call?.state ?? 'unknown' }))
      if (call?.answeredAt === undefined) {
        throw new Failure(`call ${callId} was not answered`, `tandem ladder ${callId} shows what happened`)
      }
      return
    }
    await new Promise((done) => setTimeout(done, 250))
  }
}
