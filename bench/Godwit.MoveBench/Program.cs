using System.CommandLine;
using System.Globalization;
using Godwit.MoveBench;
using Godwit.Networks.Labs;

// Moves the same guest, over the same link, seen by the same prober, with Godwit, with QEMU driven directly and with libvirt;
// the systems take turns in every round, so that whatever else the machine does meets all of them. See bench/README.md.
var systems = new Option<string[]>("--systems") { Description = "Who moves the guest: qemu, libvirt, godwit (it chooses the mode), godwit:MODE or godwit:MODE:TRANSPORT.", DefaultValueFactory = _ => ["qemu", "libvirt", "godwit"], AllowMultipleArgumentsPerToken = true };
var links = new Option<string[]>("--links") { Description = "What the link carries: none, 1gbit, 100mbit…", DefaultValueFactory = _ => ["1gbit"], AllowMultipleArgumentsPerToken = true };
var writers = new Option<string[]>("--writers") { Description = "What the guest writes: idle, w20 (20 MB/s over 64 MiB), fast (all it can over 128 MiB).", DefaultValueFactory = _ => ["idle", "w20", "fast"], AllowMultipleArgumentsPerToken = true };
var runs = new Option<int>("--runs") { Description = "Measured moves of each kind.", DefaultValueFactory = _ => 3 };
var program = new Option<string>("--godwit") { Description = "The program to measure.", DefaultValueFactory = _ => "bin/godwit" };
var images = new Option<string>("--images") { Description = "Folder of guest images.", DefaultValueFactory = _ => Environment.GetEnvironmentVariable("GODWIT_IMAGES") ?? "/var/lib/godwit/images" };
var record = new Option<string>("--record") { Description = "File to which each move is appended as a line of JSON.", DefaultValueFactory = _ => "artifacts/moves.jsonl" };
var command = new RootCommand("Measures moves of a guest, system beside system.") { systems, links, writers, runs, program, images, record };
command.SetAction(async (parsed, stopping) =>
{
    var setup = new BenchSetup
    {
        Program = Path.GetFullPath(parsed.GetValue(program)!),
        ImageFolder = Path.Combine(parsed.GetValue(images)!, "tiny"),
        ImagesFolder = parsed.GetValue(images)!,
        Systems = parsed.GetValue(systems)!,
        Links = [.. parsed.GetValue(links)!.Select(text => LinkRate.TryParse(text, out var rate) ? rate : throw new ArgumentException($"'{text}' is no link rate: none, or for example 1gbit"))],
        Writers = [.. parsed.GetValue(writers)!.Select(Writer.Named)],
        Runs = parsed.GetValue(runs),
        RecordPath = Path.GetFullPath(parsed.GetValue(record)!),
    };
    var results = await Matrix.RunAsync(setup, line => Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetLocalNow():HH:mm:ss} {line}")), stopping);
    Console.WriteLine(Table.Render(results));
    return 0;
});
return await command.Parse(args).InvokeAsync();
