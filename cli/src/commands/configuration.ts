/** check, plan, apply, rollback */
import type { Problem } from '@tandem/config/check.ts'
import type { Command } from 'commander'
import type { Applied, Planned } from '../api/resources.ts'
import { colours } from '../print/colours.ts'
import type { CheckedFiles } from '../up/configuration.ts'
import { dataFolderOf } from '../up/data-folder.ts'
import { ProblemFailure, problemLine } from '../up/problem-failure.ts'
import { addApiCommand, addCommand, apiOf, type CommonOptions, print } from './command.ts'

type ApplyOptions = CommonOptions & { dryRun?: boolean; why?: string }

export function addConfigurationCommands(program: Command): void {
  addCommand(
    program,
    'check <file>',
    'check a configuration: schema, names, numbers, ports, 911; nothing needs to run',
    'check examples/acme/tandem.yaml',
  ).action(check)
  addApiCommand(
    program,
    'plan <file>',
    'what a configuration would change, with its test cases run',
    'plan tandem.yaml',
  ).action(async (file: string, options: CommonOptions) => {
    const plan = await apiOf(options).post<Planned>('/config/plan', proposal(await read(file)))
    print(options, plan, () => describePlan(plan))
    if (plan.tests.some((t) => !t.passed)) process.exitCode = 1
  })
  addApiCommand(
    program,
    'apply <file>',
    'make a configuration the running one; refused when one of its test cases fails',
    'apply tandem.yaml --why "second carrier"',
  )
    .option('--dry-run', 'all of it but the change itself')
    .option('--why <text>', 'goes into the history')
    .action(apply)
  addApiCommand(
    program,
    'rollback [revision]',
    'bring back the revision before this one, or the one given',
    'rollback 3',
  ).action(rollback)
}

function proposal(checked: CheckedFiles, more: { why?: string | undefined; dryRun?: boolean } = {}): object {
  return { source: checked.files, decks: checked.decks, ...more }
}

/** The checker loads a while: not for the other commands. */
async function read(file: string, where: { secretsIn?: string } = {}): Promise<CheckedFiles> {
  const { readChecked } = await import('../up/configuration.ts')
  return readChecked(file, where)
}

async function check(file: string, options: CommonOptions): Promise<void> {
  try {
    const { warnings, configuration: c } = await read(file, { secretsIn: dataFolderOf(process.env, options.data).path })
    print(options, { ok: true, problems: [], warnings }, () => {
      const count = [
        counted(c.users, 'user'),
        counted(c.trunks, 'trunk'),
        counted(c.routes, 'route'),
        counted(c.tests, 'test case'),
      ].join(', ')
      return [...warnings.map(warningLine), `${colours.green('✓')} ${file} is right: ${count}`].join('\n')
    })
  } catch (error) {
    if (!(error instanceof ProblemFailure) || !options.json) throw error
    console.log(JSON.stringify({ ok: false, problems: error.problems }, null, 2))
    process.exitCode = 1
  }
}

async function apply(file: string, options: ApplyOptions): Promise<void> {
  const more = { ...(options.why ? { why: options.why } : {}), ...(options.dryRun ? { dryRun: true } : {}) }
  const applied = await apiOf(options).post<Applied>('/config/apply', proposal(await read(file), more))
  print(options, applied, () => {
    const end = applied.applied
      ? `${colours.green('✓')} revision ${applied.revision} runs`
      : 'nothing was changed (--dry-run)'
    return `${describePlan(applied)}\n${end}`
  })
}

async function rollback(revision: string | undefined, options: CommonOptions): Promise<void> {
  const wanted = revision === undefined ? {} : { revision: Number(revision) }
  const done = await apiOf(options).post<{ revision: number; rollbackOf: number }>('/config/rollback', wanted)
  print(
    options,
    done,
    () => `${colours.green('✓')} revision ${done.revision} runs: what revision ${done.rollbackOf} was`,
  )
}

function describePlan(plan: Planned): string {
  const changes = plan.changes.map((c) => {
    if (c.kind === 'added') return colours.green(`+ ${c.path}: ${c.after}`)
    if (c.kind === 'removed') return colours.red(`- ${c.path}: ${c.before}`)
    return colours.yellow(`~ ${c.path}: ${c.before} → ${c.after}`)
  })
  const tests = plan.tests.map(
    (t) => `${t.passed ? colours.green('✓') : colours.red('✗')} test ${t.index + 1}: ${t.detail}`,
  )
  return [...(changes.length > 0 ? changes : ['no change']), ...plan.warnings.map(warningLine), ...tests].join('\n')
}

function warningLine(warning: Problem): string {
  return `${colours.yellow('!')} ${problemLine(warning)}`
}

function counted(things: object, one: string): string {
  const n = Object.keys(things).length
  return `${n} ${one}${n === 1 ? '' : 's'}`
}
