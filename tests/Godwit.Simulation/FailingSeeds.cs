using System.Globalization;

namespace Godwit.Simulation;

/// <summary>Seeds that once broke an invariant: one a line in a file of the tree, which a failing run adds to.</summary>
internal static class FailingSeeds
{
    public static string File { get; } = Path.Combine(Sources.Root, "tests", "Godwit.Simulation", "failing-seeds.txt");

    public static IReadOnlyList<int> All => Read(File);

    public static IReadOnlyList<int> Read(string file) =>
        [.. System.IO.File.ReadLines(file).Where(line => line.Length > 0 && line[0] != '#').Select(line => int.Parse(line, CultureInfo.InvariantCulture))];

    public static void Keep(int seed, string file)
    {
        if (!Read(file).Contains(seed))
        {
            System.IO.File.AppendAllText(file, seed.ToString(CultureInfo.InvariantCulture) + "\n");
        }
    }
}

/// <summary>The tree that this program was built from.</summary>
internal static class Sources
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        var place = new DirectoryInfo(AppContext.BaseDirectory);
        while (!System.IO.File.Exists(Path.Combine(place.FullName, "Godwit.slnx")))
        {
            place = place.Parent ?? throw new InvalidOperationException($"No Godwit.slnx stands above {AppContext.BaseDirectory}.");
        }

        return place.FullName;
    }
}
