#!/usr/bin/env node
import { runProgram } from './program.ts'

// Whoever read the output (`| head`) has left.
process.stdout.once('error', () => process.exit())

void runProgram(process.argv)
