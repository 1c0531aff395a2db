/*
 * Who runs the guest: the hand-over of docs/migration.md, and of several guests that are one service, as a model that spin
 * searches through completely. `tests/Godwit.Simulation/ModelTests.cs` runs it, and runs it again with each mutation below,
 * which spin must catch.
 *
 *   spin -a handover.pml              one guest              -DGROUP   two guests that are one service
 *                                                            -DPOSTCOPY   one guest whose switch may be one to post-copy
 *   cc -DSAFETY -DNOCLAIM -o pan pan.c && ./pan -m1000000     the assertions
 *   cc -DNFAIR=5 -o pan pan.c && ./pan -m1000000 -a -f -N ends   that every move ends, if nobody stands still for ever
 *
 * The network. A message that was sent stays on the network for ever: it may be read at any later time, again, after newer
 * ones, or never. That is a network which loses, doubles, delays and reorders as it likes, and it costs one bit a message.
 *
 * The crash of an agent. A source's agent holds its phase in memory; a crash drops it, and the next life goes on from the
 * record on disk and from what its QEMU says. All that the target's agent acts by is on its disk or in its QEMU, so a crash
 * between any two of its steps is a pause, which the search includes anyway.
 *
 * Post-copy. The agent stops the guest and tells QEMU, which then has no way back of its own (InPostcopy), runs the target only by
 * order as ever, and breaks in three ways: into Broken, which is mended when the target has the devices and given back when it refuses; with the
 * target hanging for want of them; and at the end (Ending: the last page is sent), where QEMU lets go of its guest as it found it. What was under way then
 * is lost, which is the one loss that nobody's death excuses (`cut`).
 *
 * One service. The members decide nothing among themselves. One record in the API is written once, by compare-and-swap:
 *
 *     Undecided ──▶ RunAll       by the controller, when every member has said that it is ready
 *         └───────▶ ReturnAll    by anybody: the controller, or a member that has waited for too long
 *
 * A member is ready when its source's QEMU can no longer run the guest by itself and its target says that all has arrived.
 * Before it says so it may turn back by its own judgement, because without its word RunAll cannot be written. After it
 * has said so (or may have said so, in an earlier life) it does as the record says, and when it may wait no longer it tries to write
 * ReturnAll, and then does as the record says, whoever wrote it.
 */
#ifdef GROUP
#define MEMBERS 2
#else
#define MEMBERS 1
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#define BREAKS 2

/* QEMU at the source: Runs; Pauses at the barrier; Sent all and cannot run by itself; Gone. In post-copy: InPostcopy; Broken; Ending; LetGo.
 * QEMU at the target: Listens; Loaded and paused; Runs; Gone. */
mtype = { Runs, Pauses, Sent, Listens, Loaded, Gone, InPostcopy, Broken, Ending, LetGo };
/* The source's agent. */
mtype = { Streaming, SwitchingOver, Awaiting, Activating, TurningBack, Fencing, Completed, Aborted, Lost, Dead, Postcopying, Reclaiming, Asking };
/* The target's journal. */
mtype = { Arriving, RunGranted, Refused, TargetLost };
/* The group's record. */
mtype = { Undecided, RunAll, ReturnAll };

mtype source[MEMBERS] = Runs;
mtype target[MEMBERS] = Listens;
mtype phase[MEMBERS] = Streaming;
mtype journal[MEMBERS] = Arriving;
mtype decision = Undecided;

/* Sent, and on the network for ever. */
bool ordered[MEMBERS], aborted[MEMBERS];
bool arrived[MEMBERS], running[MEMBERS], refused[MEMBERS], lost[MEMBERS];
bool ready[MEMBERS];

/* Post-copy alone. */
bool told[MEMBERS];    /* QEMU, to go on by post-copy: at the barrier it is too late for that */
bool stopped[MEMBERS]; /* by order, so QEMU gives the guest back standing still */
bool whole[MEMBERS];   /* the target has all of the memory */
bool cut[MEMBERS];     /* the stream broke with the last pages under way */
byte breaks = 0;

/* What happened, for the invariants alone. */
bool ran[MEMBERS];     /* the guest has run at the target */
bool killed[MEMBERS];  /* a QEMU of this member was killed from outside */
byte crashes = 0;
bool kills = false;

#define ENDED(i) (phase[i] == Completed || phase[i] == Aborted || phase[i] == Lost)
#define ONE(i) (!(source[i] == Runs && target[i] == Runs) && !(source[i] == Runs && ran[i]))
#define IN_POSTCOPY(i) (source[i] == InPostcopy || source[i] == Broken || source[i] == Ending)
#define KEPT(i) (!ENDED(i) || killed[i] || cut[i] || (source[i] == Runs && target[i] != Runs) || (target[i] == Runs && source[i] == Gone))
#ifdef GROUP
#define ALL_ENDED (ENDED(0) && ENDED(1))
/* All or nothing: a guest runs at its target by RunAll alone, and then no other is at its source, unless its QEMU was killed. */
#define WHOLE ((!(ran[0] || ran[1]) || decision == RunAll) && (decision != RunAll || ((source[0] != Runs || killed[0]) && (source[1] != Runs || killed[1]))))
#define INVARIANT (ONE(0) && ONE(1) && KEPT(0) && KEPT(1) && WHOLE)
#else
#define ALL_ENDED ENDED(0)
#define INVARIANT (ONE(0) && KEPT(0))
#endif

ltl ends { <> ALL_ENDED }

/* Write once: whoever comes second reads what the first has written. */
inline decide(word) {
  atomic {
    if
    :: decision == Undecided -> decision = word
    :: else -> skip
    fi
  }
}

proctype Source(byte i) {
  do
  /* QEMU reaches the barrier: the guest stands still. */
  :: atomic { phase[i] == Streaming && source[i] == Runs -> source[i] = Pauses; phase[i] = SwitchingOver }

  /* The rest is sent. QEMU says "completed" whether or not the target has loaded it. */
  :: atomic { phase[i] == SwitchingOver && source[i] == Pauses -> source[i] = Sent;
       if
       :: target[i] == Listens && journal[i] == Arriving -> target[i] = Loaded
       :: skip
       fi }
#ifdef RUN_BEFORE_SENT
  /* Mutation: the target has what it needs (the device state comes before QEMU says "completed"). */
  :: atomic { phase[i] == SwitchingOver && source[i] == Pauses && target[i] == Listens -> target[i] = Loaded }
  :: atomic { phase[i] == SwitchingOver && source[i] == Pauses && arrived[i] -> phase[i] = Activating; ordered[i] = true }
#endif

  /* The stream breaks: QEMU runs the guest again by itself, unless all had been sent; nobody asks the agent. */
  :: atomic { (phase[i] == SwitchingOver || phase[i] == Activating) && source[i] == Pauses -> source[i] = (stopped[i] -> LetGo : Runs) }
#ifdef POSTCOPY
  /* The guest is stopped by order; QEMU comes to the barrier, and leaves it for post-copy. */
  :: atomic { phase[i] == Streaming && source[i] == Runs -> source[i] = Pauses; phase[i] = SwitchingOver; told[i] = true;
#ifndef SWITCHES_WHILE_RUNNING
       /* (Mutation: QEMU is left to stop it.) */
       stopped[i] = true
#endif
     }
  :: atomic { phase[i] == SwitchingOver && source[i] == Pauses && told[i] -> source[i] = InPostcopy }
  :: atomic { phase[i] == SwitchingOver && source[i] == LetGo -> phase[i] = TurningBack }

  /* The device state arrives; with the target running or not, the last page is sent, arrives, and its receipt comes back. */
  :: atomic { source[i] == InPostcopy && target[i] == Listens && journal[i] == Arriving -> target[i] = Loaded }
  :: atomic { source[i] == InPostcopy && (target[i] == Loaded || target[i] == Runs) -> source[i] = Ending }
  :: atomic { source[i] == Ending && !whole[i] && (target[i] == Loaded || target[i] == Runs) -> whole[i] = true }
  :: atomic { source[i] == Ending && whole[i] -> source[i] = Sent }

  /* The stream breaks, and nobody asks the agent. A target without the devices ends, or hangs. */
  :: atomic { breaks < BREAKS && source[i] == InPostcopy -> breaks++; source[i] = Broken;
       if
       :: target[i] == Listens -> target[i] = Gone
       :: skip
       fi }
  :: atomic { breaks < BREAKS && source[i] == Ending -> breaks++; source[i] = (stopped[i] -> LetGo : Runs); cut[i] = !whole[i] }

  /* What QEMU says tells the agent where it is, whatever it had been about. */
  :: atomic { (phase[i] == SwitchingOver || phase[i] == TurningBack) && IN_POSTCOPY(i) -> phase[i] = Postcopying; ordered[i] = true }
  :: atomic { phase[i] == Postcopying && source[i] == Broken && (target[i] == Loaded || target[i] == Runs) -> source[i] = InPostcopy }
  :: atomic { phase[i] == Postcopying && source[i] == Broken && !arrived[i] && !aborted[i] -> aborted[i] = true }
  :: atomic { phase[i] == Postcopying && source[i] == LetGo ->
#ifdef RUNS_AFTER_LETTING_GO
       /* Mutation: QEMU has failed, as it does before the switch. */
       phase[i] = TurningBack }
#else
       phase[i] = Asking; aborted[i] = true }
#endif
  :: atomic { phase[i] == Postcopying && running[i] && whole[i] -> source[i] = Gone; phase[i] = Completed }
  :: atomic { phase[i] == Postcopying && lost[i] -> source[i] = Gone; phase[i] = Lost }
  :: atomic { phase[i] == Postcopying && source[i] == Gone -> phase[i] = Fencing; aborted[i] = true }

  /* The proof that it never ran there: the stream is broken on purpose, if need be, and QEMU brought to let go. */
  :: atomic { phase[i] == Postcopying && refused[i] && source[i] == InPostcopy -> source[i] = Broken }
  :: atomic { phase[i] == Postcopying && refused[i] && source[i] == Ending -> source[i] = (stopped[i] -> LetGo : Runs) }
  :: atomic { phase[i] == Postcopying && refused[i] && source[i] == Sent -> phase[i] = TurningBack }
  :: atomic { phase[i] == Postcopying && refused[i] && source[i] == Broken -> phase[i] = Reclaiming }
#ifdef RECLAIMS_UNASKED
  /* Mutation: a stream that is broken is taken for a target that is dead. */
  :: atomic { phase[i] == Postcopying && source[i] == Broken -> phase[i] = Reclaiming }
#endif
  :: atomic { phase[i] == Reclaiming && source[i] == Broken -> source[i] = (stopped[i] -> LetGo : Runs) }
  :: atomic { phase[i] == Reclaiming && source[i] != Broken -> phase[i] = TurningBack }

  /* Only the target knows: it refuses, has all, or runs a guest that misses what was under way, which is then lost. */
  :: atomic { phase[i] == Asking && refused[i] -> phase[i] = TurningBack }
  :: atomic { phase[i] == Asking && running[i] && whole[i] -> source[i] = Gone; phase[i] = Completed }
  :: atomic { phase[i] == Asking && running[i] && !whole[i] -> source[i] = Gone; target[i] = Gone; journal[i] = TargetLost; lost[i] = true; phase[i] = Lost }
  :: atomic { phase[i] == Asking && lost[i] -> source[i] = Gone; phase[i] = Lost }
  :: atomic { phase[i] == Asking && source[i] == Gone -> phase[i] = Fencing }
#endif

  /* The switch. */
  :: atomic { phase[i] == SwitchingOver && source[i] == Sent && arrived[i] ->
#ifdef GROUP
       phase[i] = Awaiting; ready[i] = true }
#else
       phase[i] = Activating; ordered[i] = true }
#endif

  /* A watchdog, a cancel, an error, before this member was ready. */
  :: atomic { phase[i] == Streaming || phase[i] == SwitchingOver -> phase[i] = TurningBack }
#ifdef GROUP
  :: atomic { phase[i] == Awaiting && decision == RunAll -> phase[i] = Activating; ordered[i] = true }
  :: atomic { phase[i] == Awaiting && decision == ReturnAll -> phase[i] = TurningBack }
  :: atomic { phase[i] == Awaiting && decision == Undecided -> skip };
#ifdef OVERWRITES
     /* Mutation: not a compare-and-swap. */
     decision = ReturnAll
#else
     decide(ReturnAll)
#endif
#ifdef RETURNS_UNASKED
  /* Mutation: a time limit in place of the record. */
  :: atomic { phase[i] == Awaiting -> phase[i] = TurningBack }
#endif
#endif
#ifdef RESUMES_ON_TIMEOUT
  /* Mutation: no answer for so long that the target must be dead. */
  :: atomic { phase[i] == Activating -> phase[i] = TurningBack }
#endif

  :: atomic { phase[i] == Activating && running[i] -> source[i] = Gone; phase[i] = Completed }
  :: atomic { phase[i] == Activating && lost[i] -> source[i] = Gone; phase[i] = Lost }
  /* The proof: it never ran there and never will. */
  :: atomic { phase[i] == Activating && refused[i] -> phase[i] = TurningBack }

  /* The stream is cancelled and the guest resumed; then the target is told, until it answers. */
  :: atomic { phase[i] == TurningBack && !IN_POSTCOPY(i) ->
       if
       :: source[i] != Gone -> source[i] = Runs
       :: else -> skip
       fi; phase[i] = Fencing; aborted[i] = true }
  :: atomic { phase[i] == Fencing && (refused[i] || lost[i]) ->
       if
       :: source[i] == Gone -> phase[i] = Lost
       :: else -> phase[i] = Aborted
       fi }
  :: atomic { phase[i] == Fencing && source[i] == Gone && running[i] -> phase[i] = Completed }

  /* The agent dies, and the next one reads the record ("handing over", written before the stream began) and QEMU. */
  :: atomic { crashes < CRASHES && !ENDED(i) && phase[i] != Dead -> crashes++; phase[i] = Dead }
  :: atomic { phase[i] == Dead ->
       if
#ifdef RESUMES_AFTER_CRASH
       /* Mutation: no record says that the guest was being handed over. */
       :: source[i] == Sent || source[i] == Gone -> phase[i] = TurningBack
#elif defined(GROUP) && !defined(RUNS_AFTER_CRASH)
       /* It may have said that it is ready; if "run" was ordered then by the record, which still says so. */
       :: source[i] == Sent || source[i] == Gone -> phase[i] = Awaiting
#else
       /* "Run" may have been ordered: ordering it again is the question and the way forward. */
       :: source[i] == Sent -> phase[i] = Activating; ordered[i] = true
       :: source[i] == Gone -> phase[i] = Fencing; aborted[i] = true
#endif
#ifdef POSTCOPY
       :: IN_POSTCOPY(i) -> phase[i] = Postcopying; ordered[i] = true
       :: source[i] == LetGo -> phase[i] = Asking; aborted[i] = true
#endif
       /* Any other word of QEMU's: it was not. */
       :: source[i] == Runs || source[i] == Pauses -> phase[i] = TurningBack
       fi }
#ifdef GROUP
  /* A member that is ready and whose agent was away says so again. */
  :: atomic { phase[i] == Awaiting && !ready[i] && arrived[i] && source[i] == Sent -> ready[i] = true }
  /* What was decided for all before this one was ready. */
  :: atomic { (phase[i] == Streaming || phase[i] == SwitchingOver) && decision == ReturnAll -> phase[i] = TurningBack }
#endif
  :: ENDED(i) -> break
  od
}

proctype Target(byte i) {
  do
  :: atomic { journal[i] == Arriving && target[i] == Loaded && !arrived[i] -> arrived[i] = true }
#ifdef RUNS_ON_ARRIVAL
  /* Mutation: QEMU's own way, without -S. */
  :: atomic { journal[i] == Arriving && target[i] == Loaded -> target[i] = Runs; ran[i] = true }
#endif
#ifdef GRANT_NOT_RECORDED
  /* Mutation: the order is obeyed from memory; a late "abort" still finds a guest that has not been granted. */
  :: atomic { journal[i] == Arriving && target[i] == Loaded && ordered[i] -> target[i] = Runs; ran[i] = true }
#else
  :: atomic { journal[i] == Arriving && target[i] == Loaded && ordered[i] -> journal[i] = RunGranted }
#endif
  :: atomic { journal[i] == RunGranted && target[i] == Loaded -> target[i] = Runs; ran[i] = true }
  :: atomic { target[i] == Runs && !running[i] -> running[i] = true }

  /* Refusing: on disk, dead, told; in this order. */
  :: atomic { journal[i] == Arriving && aborted[i] -> journal[i] = Refused }
  :: atomic { journal[i] == Arriving && target[i] == Gone -> journal[i] = Refused }
  /* "Run", and nothing is there to run: it says so for good (the stream broke, although the source's QEMU had said "completed"). */
  :: atomic { journal[i] == Arriving && target[i] == Listens && source[i] != Runs && source[i] != Pauses && ordered[i] -> journal[i] = Refused }
  :: atomic { journal[i] == Refused && target[i] != Gone -> target[i] = Gone }
  :: atomic { journal[i] == Refused && target[i] == Gone && !refused[i] -> refused[i] = true }
  :: atomic { journal[i] == RunGranted && target[i] == Gone -> journal[i] = TargetLost; lost[i] = true }
  :: refused[i] || lost[i] -> break
  :: ENDED(i) -> break
  od
}

/* A QEMU is killed from outside: once, any of them, at any moment. */
proctype Killer(byte i) {
  if
  :: atomic { !kills && source[i] != Gone -> kills = true; killed[i] = true; source[i] = Gone;
       if
       :: phase[i] == Streaming || phase[i] == SwitchingOver -> phase[i] = TurningBack
       :: else -> skip
       fi }
  :: atomic { !kills && target[i] != Gone -> kills = true; killed[i] = true; target[i] = Gone }
  :: skip
  fi
}

#ifdef GROUP
/* The controller; its crash is a pause. */
proctype Controller() {
  do
#ifdef DECIDES_WITHOUT_ALL
  /* Mutation: one has been forgotten. */
  :: decision == Undecided && ready[0] -> decide(RunAll)
#else
  :: decision == Undecided && ready[0] && ready[1] -> decide(RunAll)
#endif
  :: decision == Undecided -> decide(ReturnAll)
  :: decision != Undecided -> break
  od
}
#endif

/* It may take its one step at any time, so what it asserts is asserted of every state. */
proctype Monitor() {
  assert(INVARIANT)
}

init {
  byte i;
  atomic {
    i = 0;
    do
    :: i < MEMBERS -> run Source(i); run Target(i); run Killer(i); i++
    :: else -> break
    od;
#ifdef GROUP
    run Controller();
#endif
    run Monitor()
  }
}
