/** check, plan, apply, rollback */
import type { Command } from 'commander'
import type { Applied, Changed, HistoryPage, Planned } from '../api/resources.ts'
import { Failure } from '../failure.ts'
import { colours } from '../print/colours.ts'
import { describeHistory, describePlan, warningLines, whereInForce } from '../print/plan.ts'
import type { CheckedFiles } from '../up/configuration.ts'
import { dataFolderOf } from '../up/data-folder.ts'
import { ProblemFailure } from '../up/problem-failure.ts'
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
    'rollback 3 --why "calls to Seattle failed"',
  )
    .option('--why <text>', 'goes into the history')
    .action(rollback)
  addApiCommand(program, 'history', 'who changed the configuration, when and why', 'history --limit 10')
    .option('--limit <n>', 'newest revisions shown', '20')
    .action(history)
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
      return [...warningLines(warnings), `${colours.green('✓')} ${file} is right: ${count}`].join('\n')
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
      ? `${colours.green('✓')} revision ${applied.revision} runs${whereInForce(applied)}`
      : 'nothing was changed (--dry-run)'
    return `${describePlan(applied)}\n${end}`
  })
}

async function rollback(revision: string | undefined, options: CommonOptions & { why?: string }): Promise<void> {
  const wanted = revision === undefined ? {} : { revision: wholeNumber(revision, 'revision') }
  const why = options.why === undefined ? {} : { why: options.why }
  const done = await apiOf(options).post<Changed & { rollbackOf: number }>('/config/rollback', { ...wanted, ...why })
  print(
    options,
    done,
    () =>
      `${colours.green('✓')} revision ${done.revision} runs${whereInForce(done)}: what revision ${done.rollbackOf} was`,
  )
}

async function history(options: CommonOptions & { limit: string }): Promise<void> {
  const limit = wholeNumber(options.limit, '--limit')
  const page = await apiOf(options).get<HistoryPage>('/config/history', { limit })
  print(options, page, () => describeHistory(page))
}

function wholeNumber(text: string, what: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Failure(`${what} ${text} is not a whole number`, 'Write it as 3; "tandem history" lists the revisions.')
}

function counted(things: object, one: string): string {
  const n = Object.keys(things).length
  return `${n} ${one}${n === 1 ? '' : 's'}`
}
