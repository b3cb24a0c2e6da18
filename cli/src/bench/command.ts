import type { Command } from 'commander'

/** `tandem bench …`: each measurement is a subcommand in a file of its own beside this one. */
export function addBenchCommands(program: Command): void {
  program.command('bench', { hidden: true }).description('measure this machine')
}
