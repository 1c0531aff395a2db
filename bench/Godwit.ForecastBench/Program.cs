using System.CommandLine;
using System.Globalization;
using Godwit.ForecastBench;
using Godwit.Networks.Labs;

// Moves guests that write in different ways over links of different rates, and holds each forecast against what was then measured:
// Godwit's and the textbook's, before a guest was ever moved and after its moves have taught. See bench/README.md.
var links = new Option<string[]>("--links") { Description = "What the link carries, one lab each.", DefaultValueFactory = _ => ["1gbit", "500mbit", "200mbit"], AllowMultipleArgumentsPerToken = true };
var guests = new Option<string[]>("--guests") { Description = "Which guests, by name (default: all).", AllowMultipleArgumentsPerToken = true };
var moves = new Option<int>("--moves") { Description = "Moves of each guest on each link: the first is judged by itself, the second only teaches, the others are judged.", DefaultValueFactory = _ => 4 };
var program = new Option<string>("--godwit") { Description = "The program to measure.", DefaultValueFactory = _ => "bin/godwit" };
var images = new Option<string>("--images") { Description = "Folder of guest images.", DefaultValueFactory = _ => Environment.GetEnvironmentVariable("GODWIT_IMAGES") ?? "/var/lib/godwit/images" };
var record = new Option<string>("--record") { Description = "File to which each move is appended as a line of JSON.", DefaultValueFactory = _ => "artifacts/forecasts.jsonl" };
var command = new RootCommand("Measures how well forecasts of moves hold.") { links, guests, moves, program, images, record };
command.SetAction(async (parsed, stopping) =>
{
    var chosen = parsed.GetValue(guests) is { Length: > 0 } names ? names.Select(Guest.Named) : Guest.All;
    var judged = new List<JudgedMove>();
    foreach (var link in parsed.GetValue(links)!)
    {
        _ = LinkRate.TryParse(link, out _) ? 0 : throw new ArgumentException($"'{link}' is no link rate: for example 1gbit");
        await using var lab = await Lab.StartAsync(Path.GetFullPath(parsed.GetValue(program)!), parsed.GetValue(images)!, link, stopping);
        foreach (var guest in chosen)
        {
            await foreach (var move in lab.MoveAsync(guest, parsed.GetValue(moves), stopping))
            {
                judged.Add(move);
                await File.AppendAllTextAsync(Path.GetFullPath(parsed.GetValue(record)!), move.ToJson() + "\n", stopping);
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetLocalNow():HH:mm:ss} {move}"));
            }
        }
    }

    Console.WriteLine(Report.Render(judged));
    return 0;
});
return await command.Parse(args).InvokeAsync();
