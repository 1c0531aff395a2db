using System.CommandLine;
using System.Globalization;
using Godwit.HandoverBench;

// Moves one guest back and forth between two nodes, looked at from several places at once, with a TCP connection from each that is opened once.
// See bench/README.md.
var moves = new Option<int>("--moves") { Description = "How many moves.", DefaultValueFactory = _ => 100 };
var link = new Option<string>("--link") { Description = "What the link between the nodes carries.", DefaultValueFactory = _ => "1gbit" };
var writer = new Option<string>("--writer") { Description = "What the guest writes, in the settings of the image 'tiny'.", DefaultValueFactory = _ => "tiny.rate=20M tiny.set=64M tiny.ballast=64M" };
var program = new Option<string>("--godwit") { Description = "The program to measure.", DefaultValueFactory = _ => "bin/godwit" };
var images = new Option<string>("--images") { Description = "Folder of guest images.", DefaultValueFactory = _ => Environment.GetEnvironmentVariable("GODWIT_IMAGES") ?? "/var/lib/godwit/images" };
var command = new RootCommand("Measures for how long a guest that moves is silent, as seen from everywhere.") { moves, link, writer, program, images };
command.SetAction(async (parsed, stopping) =>
{
    await using var lab = await Lab.StartAsync(Path.GetFullPath(parsed.GetValue(program)!), parsed.GetValue(images)!, parsed.GetValue(link)!, stopping);
    var address = await lab.StartGuestAsync(parsed.GetValue(writer)!, stopping);
    var observers = new List<Observer>();
    try
    {
        foreach (var place in lab.Places)
        {
            observers.Add(await Observer.StartAsync(place, address, stopping));
        }

        var seen = new List<Handover>();
        for (var turn = 1; turn <= parsed.GetValue(moves); turn++)
        {
            foreach (var observer in observers)
            {
                await observer.BeginAsync(stopping);
            }

            var pausedMs = await lab.MoveAsync(stopping);
            seen.AddRange(await Task.WhenAll(observers.Select(observer => observer.EndAsync(turn, pausedMs, stopping))));

            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetLocalNow():HH:mm:ss} move {turn}: {string.Join("; ", seen.TakeLast(observers.Count))}"));
        }

        Console.WriteLine(Report.Render(seen));
        return 0;
    }
    finally
    {
        observers.ForEach(observer => observer.Dispose());
    }
});
return await command.Parse(args).InvokeAsync();
