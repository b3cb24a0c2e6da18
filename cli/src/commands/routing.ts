/** explain, trunks */
import type { Explanation } from '@tandem/contracts/routing.ts'
import type { Command } from 'commander'
import type { TrunkView } from '../api/resources.ts'
import { Failure } from '../failure.ts'
import { colours } from '../print/colours.ts'
import { describeExplanation } from '../print/explanation.ts'
import { qualityText } from '../print/quality.ts'
import { table } from '../print/table.ts'
import { clock } from '../print/times.ts'
import { addApiCommand, apiOf, type CommonOptions, print } from './command.ts'

export function addRoutingCommands(program: Command): void {
  addApiCommand(
    program,
    'explain',
    'what would become of a call: every rule tried and why',
    'explain --from alice --to 9011442079460000',
  )
    .requiredOption('--from <who>', 'user, number or trunk that calls')
    .requiredOption('--to <dialled>', 'digits as dialled')
    .option('--at <time>', 'time of the call (RFC 3339), now when left out')
    .action(explain)
  const list = addApiCommand(program, 'trunks', 'the trunks, their health and registration', 'trunks').action(trunks)
  addApiCommand(
    list,
    'drain <trunk>',
    'take a trunk out of service: its calls go on, new ones take another trunk',
    'trunks drain itsp-a',
  ).action((trunk: string, _: unknown, command: Command) => drain(trunk, true, command.optsWithGlobals()))
  addApiCommand(list, 'undrain <trunk>', 'put a trunk back into service', 'trunks undrain itsp-a').action(
    (trunk: string, _: unknown, command: Command) => drain(trunk, false, command.optsWithGlobals()),
  )
}

async function drain(trunk: string, draining: boolean, options: CommonOptions): Promise<void> {
  const path = `/trunks/${encodeURIComponent(trunk)}/drain`
  const answer = await apiOf(options).post<{ trunk: string; draining: boolean; calls: number }>(path, { draining })
  print(options, answer, () =>
    draining
      ? `${trunk} is out of service; calls that are up on it: ${answer.calls}\nBack with: tandem trunks undrain ${trunk}`
      : `${trunk} is in service`,
  )
}

async function explain(options: CommonOptions & { from: string; to: string; at?: string }): Promise<void> {
  const { from, to, at } = options
  const asked = { from, to, ...(at === undefined ? {} : { at: readTime(at) }) }
  const explanation = await apiOf(options).post<Explanation>('/routing/explain', asked)
  print(options, explanation, () => describeExplanation(asked, explanation))
}

function readTime(text: string): string {
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new Failure(`${text} is not a time`, 'Write it as 2026-11-27T03:00:00-08:00.')
  return new Date(at).toISOString()
}

async function trunks(options: CommonOptions): Promise<void> {
  const { trunks: rows } = await apiOf(options).get<{ trunks: TrunkView[] }>('/trunks')
  print(options, rows, () =>
    table<TrunkView>(
      [
        { head: 'trunk', value: (t) => t.name },
        {
          head: 'health',
          value: (t) => (t.state.health === 'up' ? colours.green('up') : colours.yellow(t.state.health)),
        },
        {
          head: 'registered',
          value: (t) =>
            t.state.registered === undefined
              ? ''
              : t.state.registered
                ? `until ${clock(t.state.registeredUntil)}`
                : 'no',
        },
        {
          head: 'calls',
          value: (t) => `${t.state.calls ?? 0}${t.limits.calls ? `/${t.limits.calls}` : ''}`,
          align: 'right',
        },
        {
          head: 'OPTIONS',
          value: (t) => (t.state.roundTripMs === undefined ? '' : `${t.state.roundTripMs.toFixed(1)} ms`),
          align: 'right',
        },
        { head: 'quality', value: (t) => (t.quality === undefined ? '' : qualityText(t.quality)) },
        { head: '911', value: (t) => (t.emergency ? 'yes' : '') },
        { head: 'to', value: (t) => t.to.join(' ') },
        { head: 'why', value: (t) => t.state.why ?? '' },
      ],
      rows,
    ),
  )
}
