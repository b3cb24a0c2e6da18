/** explain, trunks */
import type { ExplainStep, Explanation, RouteDecision } from '@tandem/contracts/routing.ts'
import type { Command } from 'commander'
import colours from 'picocolors'
import type { TrunkView } from '../api/resources.ts'
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
  addApiCommand(program, 'trunks', 'the trunks, their health and registration', 'trunks').action(trunks)
}

async function explain(options: CommonOptions & { from: string; to: string; at?: string }): Promise<void> {
  const { from, to, at } = options
  const explanation = await apiOf(options).post<Explanation>('/routing/explain', { from, to, ...(at ? { at } : {}) })
  print(options, explanation, () =>
    [...explanation.steps.map(stepLine), '', ...decisionLines(explanation.decision)].join('\n'),
  )
}

const MARKS: Record<ExplainStep['outcome'], string> = {
  matched: colours.green('✓'),
  'no-match': colours.dim('·'),
  skipped: colours.dim('–'),
  note: colours.cyan('i'),
}

function stepLine(step: ExplainStep): string {
  return `${MARKS[step.outcome]} ${step.stage.padEnd(14)} ${step.item.padEnd(24)} ${colours.dim(step.detail)}`
}

function decisionLines(decision: RouteDecision): string[] {
  if (decision.kind === 'reject') return [`${colours.red('✗')} ${decision.status}: ${decision.reason}`]
  const usage = decision.usage ? `, usage ${decision.usage}` : ''
  const head = `${colours.green('→')} ${decision.emergency ? colours.red('emergency ') : ''}${decision.normalised ?? decision.dialled}${usage}`
  const attempts = decision.branches.flatMap((branch) =>
    branch.attempts.map((a, i) =>
      a.kind === 'trunk'
        ? `  ${branch.role} ${i + 1}. trunk ${a.trunk}: ${a.called} from ${a.calling}${a.route ? ` (route ${a.route})` : ''}`
        : `  ${branch.role} ${i + 1}. user ${a.user}, all phones`,
    ),
  )
  return [head, ...attempts]
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
        { head: '911', value: (t) => (t.emergency ? 'yes' : '') },
        { head: 'to', value: (t) => t.to.join(' ') },
        { head: 'why', value: (t) => t.state.why ?? '' },
      ],
      rows,
    ),
  )
}
