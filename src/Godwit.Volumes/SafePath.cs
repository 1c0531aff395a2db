using Godwit.Linux.Files;

namespace Godwit.Volumes;

/// <summary>Paths that come from outside, held inside the folder that they are meant for. No link is followed on the way.</summary>
internal static class SafePath
{
    private const int LengthMax = 1024;

    /// <summary>The file at a relative (or image-absolute) path inside a folder.</summary>
    /// <exception cref="VolumeException">Outside, through a link, no regular file, or not there.</exception>
    public static string FindFile(string folder, string path) => Find(folder, path, FileKind.Regular, "file");

    /// <summary>The same for a folder.</summary>
    public static string FindFolder(string folder, string path) => Find(folder, path, FileKind.Folder, "folder");

    private static string Find(string folder, string path, FileKind kind, string word)
    {
        var segments = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (segments.Length == 0 || path.Length > LengthMax || path.Contains('\0', StringComparison.Ordinal) || segments.Any(each => each is "." or ".."))
        {
            throw new VolumeException($"'{path.Replace('\0', '·')}' is not the path of a {word} inside {folder}.");
        }

        var current = folder;
        foreach (var segment in segments)
        {
            current = Path.Combine(current, segment);
            RefuseLink(current);
        }

        // Of that kind and no other: a device, pipe or socket is something that a reader could hang on.
        return FileIdentity.Find(current)?.Kind == kind ? current : throw new VolumeException($"There is no {word} {current}.");
    }

    public static void RefuseLink(string path)
    {
        if (new FileInfo(path).LinkTarget is { } target)
        {
            throw new VolumeException($"{path} is a link to {target}; links are not followed here, because they may lead anywhere: put the file itself (or a hard link) there.");
        }
    }
}
