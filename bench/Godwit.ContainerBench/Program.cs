using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Godwit.ContainerBench;

// Runs the same containers with godwit, dockerd and podman. They stand beside each other, each in namespaces of its own, and take turns
// in every round, so that whatever else the machine does meets all of them. See bench/README.md.
var systems = new Option<string[]>("--systems") { Description = "Who runs them: godwit, dockerd, podman.", DefaultValueFactory = _ => ["godwit", "dockerd", "podman"], AllowMultipleArgumentsPerToken = true };
var rows = new Option<string[]>("--rows") { Description = "Only rows whose names contain one of these.", DefaultValueFactory = _ => [""], AllowMultipleArgumentsPerToken = true };
var scale = new Option<double>("--scale") { Description = "This part of the rounds that each row has of itself, at most 1: 0.3 is for looking.", DefaultValueFactory = _ => 1 };
var seconds = new Option<int>("--row-seconds") { Description = "A row that has taken so long begins no further round: all rows together are then a matter of ten minutes, however slow an engine is.", DefaultValueFactory = _ => 35 };
var program = new Option<string>("--godwit") { Description = "The program to measure.", DefaultValueFactory = _ => "bin/godwit" };
var keep = new Option<bool>("--keep") { Description = "Leave the engines running at the end, to look at." };
var command = new RootCommand("Measures container engines beside each other.") { systems, rows, scale, seconds, program, keep };
command.SetAction(async (parsed, stopping) =>
{
    static void Say(string line) => Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetLocalNow():HH:mm:ss} {line}"));
    var table = new Table();
    await using var stage = await Stage.BuildAsync(parsed.GetValue(systems)!, Path.GetFullPath(parsed.GetValue(program)!), Say, stopping);
    foreach (var row in Rows.All(stage).Where(row => parsed.GetValue(rows)!.Any(part => row.Name.Contains(part, StringComparison.OrdinalIgnoreCase))))
    {
        var clock = Stopwatch.StartNew();
        var broken = new HashSet<Engine>();
        for (var round = 0; round < Math.Max(1, (int)(row.Rounds * Math.Min(1, parsed.GetValue(scale)))) && (round == 0 || clock.Elapsed.TotalSeconds < parsed.GetValue(seconds)) && !stopping.IsCancellationRequested; round++)
        {
            foreach (var engine in stage.Engines.Where(engine => !broken.Contains(engine)))
            {
                try
                {
                    if (await row.MeasureAsync(engine, stopping) is { } value)
                    {
                        table.Add(row, engine.Name, value);
                    }
                }
                catch (Exception failure) when (failure is InvalidOperationException or OperationCanceledException)
                {
                    // What the others did, and the rows before, are worth having all the same.
                    Say($"{row.Name}: {engine.Name} is left out: {failure.Message.Trim()}");
                    broken.Add(engine);
                }
            }
        }

        Say(table.Line(row));
        if (stopping.IsCancellationRequested)
        {
            Say("cut off: the table has what was measured until now");
            break;
        }
    }

    Console.WriteLine(table.Render([.. stage.Engines.Select(engine => engine.Name)]));
    if (parsed.GetValue(keep))
    {
        Say("the engines run until a key is pressed");
        Console.Read();
    }
});

// podman waits until a container's monitor is gone from the process table; under a first process that reaps late that takes it ten seconds and more.
const string Reaped = "GODWIT_BENCH_REAPED";
if (Environment.GetEnvironmentVariable(Reaped) is not null)
{
    return await command.Parse(args).InvokeAsync();
}

var start = new ProcessStartInfo("/usr/bin/tini-static", ["-s", "--", Environment.ProcessPath!, .. args]);
start.Environment[Reaped] = "yes";
using var reaper = Process.Start(start)!;
await reaper.WaitForExitAsync();
return reaper.ExitCode;
