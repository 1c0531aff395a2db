using System.Globalization;
using System.Text;
using Godwit.Base;
using Godwit.Linux.Files;

namespace Godwit.Containers;

/// <summary>
/// In which format an engine's folder is kept. The number stands in a file of its own, because what a program does not know of a record it would lose at the next change, and what
/// it cannot read it would take for rubbish. So a program reads what older ones wrote, and does not touch what a newer one did; containers run on meanwhile.
/// <list type="bullet">
/// <item>1: the first. Folders from before there was a mark have none.</item>
/// </list>
/// What is only added to a container's record is filled in (<see cref="JsonDefaults"/>) and changes no format. Whoever changes what a record, a layer's description or a layout means raises <see cref="Newest"/>, and reads the formats before.
/// </summary>
public static class DataFormat
{
    /// <summary>What this program writes, and the newest that it reads.</summary>
    public const int Newest = 1;

    /// <summary>In the engine's data folder.</summary>
    public const string FileName = "format";

    private const int LengthMax = 64;

    /// <summary>Before anything in the folder is read or changed.</summary>
    /// <exception cref="InvalidOperationException">A newer program wrote it, or it cannot be told who did.</exception>
    public static void Require(string dataFolder)
    {
        var path = Path.Combine(dataFolder, FileName);
        if (!File.Exists(path))
        {
            return;
        }

        var text = new FileInfo(path).Length <= LengthMax ? File.ReadAllText(path).Trim() : "too long";
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var format) || format < 1)
        {
            throw new InvalidOperationException($"the engine's folder {dataFolder} is of no format that can be read: {path} holds no number. Nothing in it was changed and its containers run on; restore that file, which this program writes as {Newest}");
        }

        if (format > Newest)
        {
            throw new InvalidOperationException(
                $"the engine's folder {dataFolder} was written by a newer godwit: it is of format {format}, and this program knows formats up to {Newest}. Nothing in it was changed and its containers run on; start that newer godwit, or give this one another folder with --data");
        }
    }

    /// <summary>From now on this program writes in it.</summary>
    internal static void Mark(string dataFolder)
    {
        var path = Path.Combine(dataFolder, FileName);
        var mark = Newest.ToString(CultureInfo.InvariantCulture) + "\n";
        if (!File.Exists(path) || File.ReadAllText(path) != mark)
        {
            DurableFile.Write(path, Encoding.ASCII.GetBytes(mark));
        }
    }
}
