"""Argon, simulated by OpenMM on its OpenCL platform: a program against a library that is not ours. Prints the energy after
each lap of ten steps. Usage: openmm_argon.py LAPS"""

import random
import sys

import openmm
from openmm import unit

SIDE, APART = 6, 0.4  # atoms to an edge, nm

chance = random.Random(1)
system, force = openmm.System(), openmm.NonbondedForce()
force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
force.setCutoffDistance(0.9)
edge = SIDE * APART
system.setDefaultPeriodicBoxVectors(openmm.Vec3(edge, 0, 0), openmm.Vec3(0, edge, 0), openmm.Vec3(0, 0, edge))
positions = []
for place in range(SIDE ** 3):
    system.addParticle(39.9)
    force.addParticle(0, 0.34, 0.99)
    cell = place % SIDE, place // SIDE % SIDE, place // SIDE ** 2
    positions.append(openmm.Vec3(*((each + 0.1 * chance.random()) * APART for each in cell)))
system.addForce(force)
integrator = openmm.VerletIntegrator(0.001)
context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("OpenCL"), {"Precision": "single"})
context.setPositions(positions)
for lap in range(int(sys.argv[1])):
    integrator.step(10)
    energy = context.getState(getEnergy=True).getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    print("lap", lap, repr(energy), flush=True)
